--- Seconds in real time after which what a spec waits for is taken to be stuck: half of what a block may take
--- (LURCHER_TEST_LIMIT), which scripts/test sets so high that a busy machine has the time it needs.

return (tonumber(os.getenv "LURCHER_TEST_LIMIT") or 120) / 2
