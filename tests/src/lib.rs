//! Holds no code: the tests are in `product/`, the measurements in `benches/`.
