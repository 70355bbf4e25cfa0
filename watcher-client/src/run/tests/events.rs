//! Events as pages and over a WebSocket.
