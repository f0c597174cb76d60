//! Load and measurement. What is measured so far is said by `worldshard simulate`; figures: `README.md`.
