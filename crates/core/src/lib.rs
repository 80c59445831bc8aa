//! Resource kinds, names, field paths and reports of Biplane. No I/O, no clock, no Envoy types.
#![forbid(unsafe_code)]
