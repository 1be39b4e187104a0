//! Licence expressions: `MIT OR (Apache-2.0 WITH LLVM-exception AND BSD-3-Clause)`, also the old `MIT/Apache-2.0`.

/// Whether the expression holds when each licence holds that `allowed` accepts. An exception (`WITH`) only
/// adds rights and is left out. What can't be read does not hold.
pub(super) fn holds(expression: &str, allowed: impl Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let value = any(&tokens, &mut at, &allowed);
    value == Some(true) && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
    let mut value = all(tokens, at, allowed)?;
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        value |= all(tokens, at, allowed)?;
    }
    Some(value)
}

fn all(tokens: &[&str], at: &mut usize, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
    let mut value = one(tokens, at, allowed)?;
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        value &= one(tokens, at, allowed)?;
    }
    Some(value)
}

fn one(tokens: &[&str], at: &mut usize, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
    let token = tokens.get(*at)?;
    *at += 1;
    if *token == "(" {
        let value = any(tokens, at, allowed)?;
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(value);
    }
    if tokens.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    (!matches!(*token, ")" | "OR" | "AND" | "WITH")).then(|| allowed(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let value = holds(expression, |licence| matches!(licence, "MIT" | "Apache-2.0"));
        assert_eq!(value, expected, "{expression}");
    }

    #[test]
    fn expressions() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("MIT OR GPL-3.0", true);
        check("MIT AND GPL-3.0", false);
        check("MIT/Apache-2.0", true);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true);
        check("GPL-3.0 OR MIT AND Apache-2.0", true);
        check("(GPL-3.0 OR MIT) AND Apache-2.0", true);
        check("(GPL-3.0 OR MIT) AND ISC", false);
    }

    #[test]
    fn what_cannot_be_read_does_not_hold() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "AND", "MIT MIT"] {
            check(expression, false);
        }
    }
}
