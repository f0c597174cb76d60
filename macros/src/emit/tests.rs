//! What the derive writes and what it refuses.

use proc_macro2::TokenStream;
use quote::quote;

use super::{HOW, expand};

fn refusal(input: TokenStream) -> String {
    expand(input).expect_err("refused").to_string()
}

fn expansion(input: TokenStream) -> String {
    let tokens = expand(input).expect("accepted");
    tokens.to_string().replace(' ', "")
}

/// What is written for a message with the fields `owner` and `at`.
fn addressed(audience: &TokenStream) -> String {
    expansion(quote!(
        #[audience(#audience)]
        struct Sold {
            owner: UserId,
            at: Point,
        }
    ))
}

fn misaddressed(audience: &TokenStream) -> String {
    refusal(quote!(
        #[audience(#audience)]
        struct Sold {
            owner: UserId,
            at: Point,
        }
    ))
}

#[test]
fn an_audience_is_written_as_it_is_named() {
    let clone = |field: &str| format!("::core::clone::Clone::clone(&self.{field})");
    for (named, written) in [
        (quote!(All), "All".to_owned()),
        (quote!(User(owner)), format!("User({})", clone("owner"))),
        (
            quote!(Pair(owner, at)),
            format!("Pair({},{})", clone("owner"), clone("at")),
        ),
        (
            quote!(Area {
                centre: at,
                radius_m: 40.0
            }),
            format!("Area{{centre:{},radius_m:40.0}}", clone("at")),
        ),
        (
            quote!(Room { owner }),
            format!("Room{{owner:{}}}", clone("owner")),
        ),
    ] {
        let text = addressed(&named);
        let body = format!("{{::worldshard::__private::Audience::{written}}}");
        assert!(text.contains(&body), "{text}");
        assert!(text.contains("json_payload(self)"), "{text}");
    }
    let tuple = expansion(quote!(
        #[audience(User(1))]
        struct Sold(u32, UserId);
    ));
    assert!(tuple.contains(&format!("User({})", clone("1"))), "{tuple}");
}

#[test]
fn methods_say_what_attributes_cannot() {
    let text = expansion(quote!(
        #[audience(with = whom)]
        #[emit(payload = bytes)]
        enum Drawn<'a> {
            Word(&'a str),
        }
    ));
    assert!(text.contains("Audience{Self::whom(self)}"), "{text}");
    assert!(text.contains("Into::into(Self::bytes(self))"), "{text}");
    assert!(text.contains("Emitfor Drawn<'a>".replace(' ', "").as_str()));
    assert!(!text.contains("json_payload"), "{text}");
}

#[test]
fn who_does_not_say_whom_a_message_is_for_is_told_how() {
    let silent = refusal(quote!(
        struct Rang;
    ));
    assert_eq!(silent, format!("whom is it for? {HOW}"));
    for wrong in [
        quote!(),
        quote!("All"),
        quote!(user = owner),
        quote!(Audience::All),
        quote!(All, One(owner)),
    ] {
        assert_eq!(misaddressed(&wrong), HOW, "{wrong}");
    }
    assert!(misaddressed(&quote!(User(owner) User(owner))).contains("unexpected token"));
}

#[test]
fn what_is_no_field_is_named() {
    let message = misaddressed(&quote!(User(user)));
    assert_eq!(message, "Sold has no field `user`");
    assert_eq!(misaddressed(&quote!(User(0))), "Sold has no field `0`");
    let message = misaddressed(&quote!(User("owner")));
    assert_eq!(message, "neither a field nor a number with a point");
    let message = refusal(quote!(
        #[audience(User(owner))]
        enum Sold {
            Here { owner: UserId },
        }
    ));
    assert!(message.contains("only a struct has fields"), "{message}");
}

#[test]
fn attributes_stand_once_and_say_what_there_is() {
    let twice = refusal(quote!(
        #[audience(All)]
        #[audience(One(session))]
        struct Rang;
    ));
    assert_eq!(twice, "a second `audience`");
    let unknown = refusal(quote!(
        #[audience(All)]
        #[emit(json)]
        struct Rang;
    ));
    assert!(unknown.contains("only `payload = method`"), "{unknown}");
}
