//! The gateway of `serve --app gateway`: wsPrism's path, and its services.

use worldshard::prelude::App;
use worldshard_plugins::GatewayPlugin;

/// Lanes at wsPrism's path, and what clients find behind it.
pub(crate) fn gateway(app: &mut App) -> &mut App {
    app.lanes("/v1/ws").plugin(GatewayPlugin)
}
