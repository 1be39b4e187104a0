//! What an admin is asked for.

use std::collections::BTreeSet;

use crate::app::Facts;
use crate::install::{PackageRequest, Scope};

use super::Kit;

/// Scopes follow from features, each with its reason, and from nothing else.
pub fn setup(kit: &dyn Kit) {
    let features = kit.connector().features();
    assert!(!features.is_empty(), "no feature can be switched on: what follows from what?");
    let everything = asked(kit, features);
    // What one feature alone brings beside its own is there whatever is chosen.
    let always = |scope: &Scope| {
        let with = |feature: &&&str| asked(kit, &[feature]).contains(scope);
        features.iter().filter(with).count() == features.len()
    };
    for feature in features {
        for scope in asked(kit, &[feature]) {
            let name = &scope.name;
            assert!(features.contains(&scope.feature), "{name} is of no feature that can be named");
            assert!(!scope.reason.trim().is_empty(), "{name} has no reason");
            assert!(
                everything.contains(&scope),
                "{name} is asked for by {feature} alone, not by all features"
            );
            assert!(
                scope.feature == *feature || always(&scope),
                "{feature} asks for {name}, which is another's"
            );
            assert!(kit.connector().covers(name, name), "{name} does not cover itself");
        }
    }
    let names: BTreeSet<&str> = everything.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(names.len(), everything.len(), "a scope is asked for twice");
}

fn asked(kit: &dyn Kit, features: &[&str]) -> Vec<Scope> {
    let facts: Facts = kit.app().facts.clone();
    let request = PackageRequest {
        name: "Sample".to_owned(),
        public_url: "https://gateway.example".to_owned(),
        app: "app".to_owned(),
        facts,
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
    };
    kit.connector().package(&request).scopes
}
