//! Derives for components and messages. Never decides what one means: it writes out fields in order, or as attributes say.

use proc_macro::TokenStream;

mod component;
mod emit;

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

/// Implements `Emit`: for whom `#[audience(..)]` says, with the type as JSON, or what the method of
/// `#[emit(payload = method)]` gives.
#[proc_macro_derive(Emit, attributes(audience, emit))]
pub fn derive_emit(input: TokenStream) -> TokenStream {
    emit::expand(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
