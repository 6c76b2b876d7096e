-- Read by busted before the specs (see .busted): lets them require the modules in lua/lurcher's folders, which
-- are closed to scripts. The chunk has a name of the runtime's own.

assert(load('require("lurcher.native.task").open_internals()', "@lurcher/spec"))()
