//! Writes `Codec` and `Component` for a struct or an enum. Owns what the derive refuses, and why.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Ident, Path, Result};

/// The implementations for one type definition, or the error that its author sees.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a component cannot be generic: it is registered under one name, with one layout",
        ));
    }
    let root = crate_root(&input)?;
    let codec = quote!(#root::__private::Codec);
    let (encode, decode) = match &input.data {
        Data::Struct(data) => struct_body(&data.fields, &codec),
        Data::Enum(data) => enum_body(data, &input.ident, &codec)?,
        Data::Union(_) => {
            return Err(Error::new(
                input.ident.span(),
                "a union has no canonical bytes: use an enum",
            ));
        }
    };
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #codec for #name {
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                // A type without fields writes nothing.
                let _ = &out;
                #encode
            }

            fn decode(bytes: &mut &[u8]) -> ::core::option::Option<Self> {
                let _ = &bytes;
                #decode
            }
        }

        #[automatically_derived]
        impl #root::__private::Component for #name {}
    })
}

/// The path in `#[component(crate = "…")]`, else `::worldshard`.
fn crate_root(input: &DeriveInput) -> Result<Path> {
    let mut root = None;
    for attribute in &input.attrs {
        if !attribute.path().is_ident("component") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("unknown option: only `crate = \"path\"` exists"));
            }
            let path: syn::LitStr = meta.value()?.parse()?;
            root = Some(path.parse()?);
            Ok(())
        })?;
    }
    Ok(root.unwrap_or_else(|| syn::parse_quote!(::worldshard)))
}

fn struct_body(fields: &Fields, codec: &TokenStream) -> (TokenStream, TokenStream) {
    let (pattern, names) = destructure(fields);
    let construct = construct(fields, codec);
    (
        quote! {
            let Self #pattern = self;
            #(#codec::encode(#names, out);)*
        },
        quote!(::core::option::Option::Some(Self #construct)),
    )
}

fn enum_body(
    data: &DataEnum,
    name: &Ident,
    codec: &TokenStream,
) -> Result<(TokenStream, TokenStream)> {
    if data.variants.is_empty() {
        let message = "an enum without variants has no values to store";
        return Err(Error::new(name.span(), message));
    }
    let mut encode = Vec::new();
    let mut decode = Vec::new();
    for (index, variant) in data.variants.iter().enumerate() {
        let index = u8::try_from(index).map_err(|_| {
            let message = "at most 256 variants: the variant is stored in one byte";
            Error::new(variant.span(), message)
        })?;
        let ident = &variant.ident;
        let (pattern, names) = destructure(&variant.fields);
        let construct = construct(&variant.fields, codec);
        encode.push(quote! {
            Self::#ident #pattern => {
                out.push(#index);
                #(#codec::encode(#names, out);)*
            }
        });
        decode.push(quote! {
            #index => ::core::option::Option::Some(Self::#ident #construct),
        });
    }
    Ok((
        quote!(match self { #(#encode)* }),
        quote! {
            match <u8 as #codec>::decode(bytes)? {
                #(#decode)*
                // Dead when all 256 values are variants.
                #[allow(unreachable_patterns, reason = "an enum may have all 256 variants")]
                _ => ::core::option::Option::None,
            }
        },
    ))
}

/// A pattern that binds each field, and the names it binds.
fn destructure(fields: &Fields) -> (TokenStream, Vec<Ident>) {
    // Prefixed, so that no field shadows `out`.
    let names: Vec<Ident> = (0..fields.len())
        .map(|index| Ident::new(&format!("field_{index}"), Span::mixed_site()))
        .collect();
    let pattern = match fields {
        Fields::Named(fields) => {
            let idents = fields.named.iter().map(|field| &field.ident);
            quote!({ #(#idents: #names),* })
        }
        Fields::Unnamed(_) => quote!((#(#names),*)),
        Fields::Unit => quote!(),
    };
    (pattern, names)
}

/// An initialiser that decodes each field in order.
fn construct(fields: &Fields, codec: &TokenStream) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    let members = fields
        .iter()
        .enumerate()
        .map(|(index, field)| match &field.ident {
            Some(ident) => quote!(#ident),
            None => {
                let index = syn::Index::from(index);
                quote!(#index)
            }
        });
    match fields {
        Fields::Unit => quote!(),
        Fields::Named(_) | Fields::Unnamed(_) => {
            quote!({ #(#members: <#types as #codec>::decode(bytes)?),* })
        }
    }
}

#[cfg(test)]
mod tests;
