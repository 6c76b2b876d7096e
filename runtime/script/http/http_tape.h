/* What a transfer sent and received, for lurcher.cassette: see net/transfer/transfer_tape.h. */
#ifndef LURCHER_SCRIPT_HTTP_TAPE_H
#define LURCHER_SCRIPT_HTTP_TAPE_H

#include <lua.h>

/* native.tape(most) → tape, which perform and open take */
int http_new_tape(lua_State *L);

/* native.decoded(coding, bytes, most) → the decoded body | nil: it is not coded so, or longer */
int http_decoded(lua_State *L);

#endif
