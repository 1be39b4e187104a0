//! Initials, or a silhouette where a name has no letters of the small font, as a PNG of two colours.

/// Width and height in pixels.
const SIDE: usize = 192;
/// Pixels of the font's dots.
const DOT: usize = 12;
/// Dots of a letter.
const WIDE: usize = 5;
const HIGH: usize = 7;

/// Colours that white letters can be read on.
const COLOURS: [[u8; 3]; 12] = [
    [0x0b, 0x6e, 0x4f],
    [0x1d, 0x4e, 0x89],
    [0x6a, 0x3d, 0x9a],
    [0x9c, 0x27, 0x4a],
    [0xa4, 0x4a, 0x1c],
    [0x5d, 0x57, 0x1e],
    [0x00, 0x6d, 0x77],
    [0x3f, 0x51, 0xb5],
    [0x7b, 0x3f, 0x61],
    [0x45, 0x5a, 0x64],
    [0x8a, 0x34, 0x34],
    [0x2e, 0x6b, 0x2e],
];

/// Rows of dots, from the top, the leftmost dot in the highest of five bits.
const LETTERS: [[u8; HIGH]; 26] = [
    [0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11],
    [0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e],
    [0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e],
    [0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e],
    [0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f],
    [0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10],
    [0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0f],
    [0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11],
    [0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e],
    [0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0c],
    [0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11],
    [0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f],
    [0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11],
    [0x11, 0x11, 0x19, 0x15, 0x13, 0x11, 0x11],
    [0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e],
    [0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10],
    [0x0e, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0d],
    [0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11],
    [0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e],
    [0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04],
    [0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e],
    [0x11, 0x11, 0x11, 0x11, 0x11, 0x0a, 0x04],
    [0x11, 0x11, 0x11, 0x15, 0x15, 0x15, 0x0a],
    [0x11, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x11],
    [0x11, 0x11, 0x11, 0x0a, 0x04, 0x04, 0x04],
    [0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f],
];

/// A PNG for a name; `key` chooses the colour.
pub(super) fn draw(name: &str, key: &str) -> Vec<u8> {
    let colour = COLOURS
        [key.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte)) % COLOURS.len()];
    let letters = letters_of(name);
    let light =
        |x: usize, y: usize| if letters.is_empty() { silhouette(x, y) } else { lettering(&letters, x, y) };
    let mut rows = vec![0_u8; SIDE / 8 * SIDE];
    for y in 0..SIDE {
        for x in 0..SIDE {
            if light(x, y) {
                rows[(y * SIDE + x) / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    encode(&rows, colour).unwrap_or_default()
}

/// The first letters of the first and the last word, as places in the font.
fn letters_of(name: &str) -> Vec<usize> {
    let mut words =
        name.split(|c: char| c.is_whitespace() || c == '-' || c == '.').filter(|word| !word.is_empty());
    let first = words.next();
    let last = words.next_back();
    let letters: Vec<Option<usize>> =
        first.into_iter().chain(last).map(|word| word.chars().next().and_then(letter)).collect();
    letters.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// The place of a letter in the font, without its accent.
fn letter(character: char) -> Option<usize> {
    let base = match character {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => 'A',
        'Ç' | 'ç' | 'Ć'..='č' => 'C',
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => 'E',
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => 'I',
        'Ł' | 'ł' => 'L',
        'Ñ' | 'ñ' | 'Ń'..='ň' => 'N',
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => 'O',
        'Ŕ'..='ř' => 'R',
        'Ś'..='š' => 'S',
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => 'U',
        'Ý' | 'ý' | 'ÿ' => 'Y',
        'Ź'..='ž' => 'Z',
        other => other.to_ascii_uppercase(),
    };
    base.is_ascii_uppercase().then(|| base as usize - 'A' as usize)
}

/// Whether a pixel belongs to a letter.
fn lettering(letters: &[usize], x: usize, y: usize) -> bool {
    let wide = (letters.len() * (WIDE + 1) - 1) * DOT;
    let (left, top) = ((SIDE - wide) / 2, (SIDE - HIGH * DOT) / 2);
    let (Some(x), Some(y)) = (x.checked_sub(left), y.checked_sub(top)) else { return false };
    let (column, row) = (x / DOT, y / DOT);
    let Some(letter) = letters.get(column / (WIDE + 1)).and_then(|letter| LETTERS.get(*letter)) else {
        return false;
    };
    let column = column % (WIDE + 1);
    column < WIDE && letter.get(row).is_some_and(|bits| bits & (0x10 >> column) != 0)
}

/// Whether a pixel belongs to head or shoulders.
fn silhouette(x: usize, y: usize) -> bool {
    let within = |centre_x: usize, centre_y: usize, radius_x: usize, radius_y: usize| {
        let (dx, dy) = (x.abs_diff(centre_x), y.abs_diff(centre_y));
        (dx * radius_y).pow(2) + (dy * radius_x).pow(2) <= (radius_x * radius_y).pow(2)
    };
    within(SIDE / 2, 72, 34, 34) || within(SIDE / 2, 184, 66, 64)
}

fn encode(rows: &[u8], colour: [u8; 3]) -> Result<Vec<u8>, png::EncodingError> {
    let side = u32::try_from(SIDE).unwrap_or(0);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_palette([&colour[..], &[0xff, 0xff, 0xff]].concat());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rows)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_or_two_letters_or_a_silhouette() {
        let text = |name: &str| -> String {
            letters_of(name).into_iter().map(|at| char::from(b'A' + u8::try_from(at).unwrap())).collect()
        };
        assert_eq!(text("ada lovelace"), "AL");
        assert_eq!(text("Élodie de la Øst"), "EO");
        assert_eq!(text("plato"), "P");
        assert_eq!(text("Anna-Maria"), "AM");
        for none in ["", "  ", "美咲", "😀 x", "Ada 美"] {
            assert_eq!(text(none), "", "{none}");
        }
    }

    #[test]
    fn every_drawing_is_a_png_and_the_colour_is_the_persons() {
        for name in ["Ada Lovelace", "Q", "", "美咲"] {
            let bytes = draw(name, "U1");
            let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
            assert_eq!((reader.info().width, reader.info().height), (192, 192));
            assert!(bytes.len() < 2048, "{}", bytes.len());
            assert_eq!(bytes, draw(name, "U1"));
        }
        assert_ne!(draw("A", "U1"), draw("A", "U2"));
    }

    #[test]
    fn no_two_letters_look_alike() {
        for (at, letter) in LETTERS.iter().enumerate() {
            assert!(LETTERS[..at].iter().all(|other| other != letter));
            assert!(letter.iter().all(|row| *row < 0x20));
        }
    }
}
