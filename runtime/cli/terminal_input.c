#include "terminal_input.h"

#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

static const double LONG_WAIT = 1e9; /* seconds: until something stops the loop */
static const wchar_t REPLACEMENT = 0xfffd;
static const char END_OF_INPUT = 4; /* Ctrl-D */

static lur_runtime *served;
static uv_async_t waker;
static uv_check_t polled;
static uv_poll_t readable;
static int watched = -1; /* an epoll that watches the terminal */
static char bytes[4096]; /* that were read from the terminal */
static size_t first, last;
static bool ended;

static void on_woken(uv_async_t *async) { uv_stop(async->loop); }

/* SIGTERM wakes the runtime, not us. */
static void on_polled(uv_check_t *check)
{
  if (signals_stopping()) uv_stop(check->loop);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
  (void)status;
  (void)events;
  uv_stop(poll->loop);
}

/* libuv would make the terminal itself non-blocking, and with it standard output, which is the same file, as
 * well as the input of the shell after us: writes would then lose what a slow terminal does not take at once.
 */
static bool watch_terminal(uv_loop_t *loop)
{
  struct epoll_event event = {.events = EPOLLIN};
  watched = epoll_create1(EPOLL_CLOEXEC);
  if (watched < 0) return false;
  if (epoll_ctl(watched, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0 &&
      uv_poll_init(loop, &readable, watched) == 0)
    return true;
  close(watched);
  watched = -1;
  return false;
}

bool terminal_input_open(lur_runtime *rt)
{
  served = rt;
  uv_loop_t *loop = lur_loop(rt);
  if (uv_async_init(loop, &waker, on_woken) != 0) return false;
  if (watch_terminal(loop)) {
    uv_check_init(loop, &polled);
    uv_check_start(&polled, on_polled);
    uv_unref((uv_handle_t *)&polled);
    return true;
  }
  uv_close((uv_handle_t *)&waker, NULL);
  return false;
}

void terminal_input_close(void)
{
  uv_close((uv_handle_t *)&waker, NULL);
  uv_close((uv_handle_t *)&readable, NULL);
  uv_close((uv_handle_t *)&polled, NULL);
  lur_run_for(served, 0);
  close(watched);
}

void terminal_input_wake(void) { uv_async_send(&waker); }

void terminal_input_drop(void) { first = last = 0; }

/* ---- UTF-8 ---- */

static size_t length_of(unsigned char byte)
{
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
}

static bool is_character(unsigned code, size_t length)
{
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= least[length] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
}

size_t terminal_input_decode(const char *text, size_t length, wchar_t *character)
{
  const unsigned char *at = (const unsigned char *)text;
  size_t wanted = length ? length_of(*at) : 0;
  *character = REPLACEMENT;
  if (length == 0) return 0;
  if (wanted == 0) return 1;
  unsigned code = wanted == 1 ? *at : *at & (0x7fu >> wanted);
  for (size_t i = 1; i < wanted; i++) {
    if (i == length) return 0;
    if ((at[i] & 0xc0) != 0x80) return 1;
    code = code << 6 | (at[i] & 0x3f);
  }
  if (!is_character(code, wanted)) return 1;
  *character = (wchar_t)code;
  return wanted;
}

/* ---- reading ---- */

/* Takes what is there. */
static void fill(void)
{
  memmove(bytes, bytes + first, last - first);
  last -= first;
  first = 0;
  ssize_t got = read(STDIN_FILENO, bytes + last, sizeof bytes - last);
  if (got > 0)
    last += (size_t)got;
  else if (got == 0 || (errno != EINTR && errno != EAGAIN))
    ended = true;
}

static bool has_input(void)
{
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}

void terminal_input_take_typed_ahead(void)
{
  if (has_input()) fill();
  for (size_t i = first; i < last; i++)
    if (!bytes[i]) bytes[i] = END_OF_INPUT;
}

input_result terminal_input_read(wchar_t *character, bool (*interrupted)(void))
{
  for (;;) {
    size_t used = terminal_input_decode(bytes + first, last - first, character);
    if (used) {
      first += used;
      return INPUT_CHARACTER;
    }
    if (interrupted()) return INPUT_INTERRUPTED;
    if (ended) return INPUT_ENDED;
    uv_poll_start(&readable, UV_READABLE | UV_DISCONNECT, on_readable);
    lur_run_for(served, LONG_WAIT);
    uv_poll_stop(&readable);
    if (has_input()) fill();
  }
}
