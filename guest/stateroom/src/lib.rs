//! Nothing: the guests are in `examples/`.
