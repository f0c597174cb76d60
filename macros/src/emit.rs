//! Writes `Emit` for a message: whom its attribute names, and what they get. Owns what the derive refuses, and why.
//!
//! Knows no audience by name: the engine's `Audience` says which there are.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Ident, LitFloat, Member, Result, Token, braced,
    parenthesized, token,
};

/// The implementation for one type definition, or the error that its author sees.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let name = &input.ident;
    let Some(whom) = only(&input, "audience")? else {
        return Err(Error::new(name.span(), format!("whom is it for? {HOW}")));
    };
    let audience = match whom.parse_args()? {
        Whom::Method(method) => quote!(Self::#method(self)),
        Whom::Variant(variant, parts) => {
            let parts = parts.expand(&input)?;
            quote_spanned!(seen(&variant)=> ::worldshard::__private::Audience::#variant #parts)
        }
    };
    let payload = match only(&input, "emit")? {
        None => quote!(::worldshard::__private::json_payload(self)),
        Some(attribute) => {
            let PayloadMethod(method) = attribute.parse_args()?;
            quote_spanned!(seen(&method)=> ::core::convert::Into::into(Self::#method(self)))
        }
    };
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::worldshard::__private::Emit for #name #arguments #bounds {
            fn audience(&self) -> ::worldshard::__private::Audience {
                #audience
            }

            fn payload(&self) -> ::worldshard::__private::Payload {
                #payload
            }
        }
    })
}

/// The attribute of this name; two of them contradict each other.
fn only<'a>(input: &'a DeriveInput, name: &str) -> Result<Option<&'a Attribute>> {
    let mut named = input.attrs.iter().filter(|one| one.path().is_ident(name));
    let first = named.next();
    match named.next() {
        Some(second) => Err(Error::new(second.span(), format!("a second `{name}`"))),
        None => Ok(first),
    }
}

/// What stands in `audience`.
enum Whom {
    /// `with = method`
    Method(Ident),
    /// `All`, `User(owner)`, `Area { centre, radius_m: 40.0 }`
    Variant(Ident, Parts),
}

/// What a variant holds.
enum Parts {
    Nothing,
    InOrder(Punctuated<Value, Token![,]>),
    Named(Punctuated<Part, Token![,]>),
}

/// `radius_m: 40.0`, or `centre` for the field of that name.
struct Part {
    name: Ident,
    value: Value,
}

enum Value {
    Field(Member),
    Number(LitFloat),
}

impl Parse for Whom {
    fn parse(input: ParseStream) -> Result<Self> {
        let how = |error: Error| Error::new(error.span(), HOW);
        let name: Ident = input.parse().map_err(how)?;
        let content;
        if input.peek(Token![=]) {
            if name != "with" {
                return Err(Error::new(name.span(), HOW));
            }
            input.parse::<Token![=]>()?;
            return Ok(Self::Method(input.parse()?));
        }
        let parts = if input.peek(token::Paren) {
            parenthesized!(content in input);
            Parts::InOrder(content.parse_terminated(Value::parse, Token![,])?)
        } else if input.peek(token::Brace) {
            braced!(content in input);
            Parts::Named(content.parse_terminated(Part::parse, Token![,])?)
        } else if input.is_empty() {
            Parts::Nothing
        } else {
            return Err(Error::new(input.span(), HOW));
        };
        Ok(Self::Variant(name, parts))
    }
}

impl Parse for Part {
    fn parse(input: ParseStream) -> Result<Self> {
        let name: Ident = input.parse()?;
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            let value = input.parse()?;
            return Ok(Self { name, value });
        }
        let value = Value::Field(Member::Named(name.clone()));
        Ok(Self { name, value })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream) -> Result<Self> {
        if input.peek(LitFloat) {
            return Ok(Self::Number(input.parse()?));
        }
        let field = input.parse().map(Self::Field);
        field.map_err(|error| Error::new(error.span(), "neither a field nor a number with a point"))
    }
}

/// What stands in `emit`: `payload = method`.
struct PayloadMethod(Ident);

impl Parse for PayloadMethod {
    fn parse(input: ParseStream) -> Result<Self> {
        let name: Ident = input.parse()?;
        if name != "payload" {
            let message = "unknown option: only `payload = method` exists";
            return Err(Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        Ok(Self(input.parse()?))
    }
}

impl Parts {
    fn expand(&self, input: &DeriveInput) -> Result<TokenStream> {
        Ok(match self {
            Self::Nothing => quote!(),
            Self::InOrder(values) => {
                let values = values.iter().map(|value| value.expand(input));
                let values: Vec<_> = values.collect::<Result<_>>()?;
                quote!((#(#values),*))
            }
            Self::Named(parts) => {
                let names = parts.iter().map(|part| &part.name);
                let values = parts.iter().map(|part| part.value.expand(input));
                let values: Vec<_> = values.collect::<Result<_>>()?;
                quote!({ #(#names: #values),* })
            }
        })
    }
}

impl Value {
    fn expand(&self, input: &DeriveInput) -> Result<TokenStream> {
        let field = match self {
            Self::Number(number) => return Ok(quote!(#number)),
            Self::Field(field) => field,
        };
        let Data::Struct(data) = &input.data else {
            let message = "only a struct has fields: for others, `#[audience(with = method)]`";
            return Err(Error::new(field.span(), message));
        };
        if !data.fields.members().any(|member| member == *field) {
            let (name, field_name) = (&input.ident, quote!(#field));
            let message = format!("{name} has no field `{field_name}`");
            return Err(Error::new(field.span(), message));
        }
        Ok(quote_spanned!(seen(field)=> ::core::clone::Clone::clone(&self.#field)))
    }
}

/// Where its author wrote something: there a wrong type is to be seen.
fn seen(written: &impl Spanned) -> Span {
    written.span().resolved_at(Span::call_site())
}

/// What an author is told who does not say whom a message is for, or not so that it is understood.
const HOW: &str = "say `#[audience(All)]`, or another variant of `Audience` with fields of the message for what it holds, \
                   as `#[audience(User(owner))]`, or `#[audience(with = method)]`";

#[cfg(test)]
mod tests;
