//! What the derive writes and what it refuses.

use proc_macro2::TokenStream;
use quote::quote;

use super::expand;

fn refusal(input: TokenStream) -> String {
    expand(input).expect_err("refused").to_string()
}

fn expansion(input: TokenStream) -> String {
    let tokens = expand(input).expect("accepted");
    tokens.to_string().replace(' ', "")
}

#[test]
fn generic_types_are_refused() {
    for input in [
        quote!(
            struct Health<T>(T);
        ),
        quote!(
            struct Name<'a>(&'a str);
        ),
        quote!(
            struct Grid<const N: usize>([u8; N]);
        ),
        quote!(
            enum Either<A, B> {
                Left(A),
                Right(B),
            }
        ),
    ] {
        assert!(refusal(input).contains("cannot be generic"));
    }
}

#[test]
fn types_without_canonical_bytes_are_refused() {
    let union = refusal(quote!(union Bits { whole: u32, float: f32 }));
    assert!(union.contains("use an enum"));
    let never = refusal(quote!(
        enum Never {}
    ));
    assert!(never.contains("without variants"));
}

#[test]
fn an_enum_has_at_most_256_variants() {
    let variants = |count| {
        let names = (0..count).map(|index| quote::format_ident!("V{index}"));
        quote!(enum Many { #(#names),* })
    };
    expansion(variants(256));
    assert!(refusal(variants(257)).contains("one byte"));
}

#[test]
fn the_crate_root_is_worldshard_unless_named() {
    let usual = expansion(quote!(
        struct Health(u32);
    ));
    assert!(usual.contains("impl::worldshard::__private::ComponentforHealth"));
    let named = expansion(quote!(
        #[component(crate = "crate::deep")]
        struct Health(u32);
    ));
    assert!(named.contains("implcrate::deep::__private::ComponentforHealth"));
    assert!(!named.contains("::worldshard"));
}

#[test]
fn unknown_options_are_refused() {
    let message = refusal(quote!(
        #[component(name = "x")]
        struct Health(u32);
    ));
    assert!(message.contains("unknown option"));
}

#[test]
fn fields_are_written_and_read_in_order() {
    let text = expansion(quote!(
        struct Health {
            now: u32,
            most: u16,
        }
    ));
    let write = text.find("encode(field_0,out)").expect("first");
    assert!(write < text.find("encode(field_1,out)").expect("second"));
    let read = text.find("now:<u32as").expect("first");
    assert!(read < text.find("most:<u16as").expect("second"));
}
