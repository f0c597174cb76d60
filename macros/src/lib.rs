//! Derives for components. Never decides what a component means: it writes out fields in order.

use proc_macro::TokenStream;

mod component;

/// Implements `Codec` and `Component`: the fields in their order, an enum's variant as one byte first.
///
/// The type must also be `Clone`, and every field a `Codec`. Generics and unions are refused.
/// `#[component(crate = "path")]` names the crate root that is used instead of `::worldshard`.
#[proc_macro_derive(Component, attributes(component))]
pub fn derive_component(input: TokenStream) -> TokenStream {
    component::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
