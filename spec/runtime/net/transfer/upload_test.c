#include "net/transfer/upload.h"

#include "support/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_SIZE = 700000, ROOM = 1000000 };

static loop events;
static bool told;
static char place[] = "/tmp/lurcher_unit_XXXXXX";
static char out[ROOM];

static void on_ready(operation *op, void *user)
{
  (void)op;
  (void)user;
}

static void on_more(void *user)
{
  (void)user;
  told = true;
}

/* All of it, or as much as there is without a producer; waits for files. */
static size_t read_all(upload *u, size_t step, upload_state *last)
{
  size_t total = 0, got;
  while ((*last = upload_read(u, out + total, step, &got)) == UPLOAD_BYTES || *last == UPLOAD_LATER) {
    if (*last == UPLOAD_LATER && u->is_hungry) break;
    for (told = *last != UPLOAD_LATER; !told;) uv_run(events.uv, UV_RUN_ONCE);
    total += got;
  }
  return total;
}

static file_range look(uint64_t offset, uint64_t length)
{
  error e;
  file_range r;
  check(file_range_look(&r, place, offset, length, &e));
  return r;
}

static void reads_parts_one_after_the_other_and_again(void)
{
  upload_state last;
  upload *u = upload_new(&events);
  file_range r = look(2, FILE_SIZE - 4);
  check(upload_add_bytes(u, "<", 1) && upload_add_file(u, &r) && upload_add_bytes(u, "", 0) &&
        upload_add_bytes(u, ">", 1));
  file_range_free(&r);
  check(u->length == FILE_SIZE - 2);
  upload_begin(u, on_more, NULL);
  for (int round = 0; round < 3; round++) {
    check(!upload_ended(u));
    check(read_all(u, round == 1 ? 77777 : 65536, &last) == FILE_SIZE - 2);
    check(last == UPLOAD_END && upload_ended(u));
    check(out[0] == '<' && out[1] == 'c' && out[FILE_SIZE - 3] == '>');
    check(upload_rewind(u));
  }
  check(upload_read(u, out, 10, &(size_t){0}) == UPLOAD_BYTES && upload_rewind(u)); /* while a job runs */
  check(read_all(u, 65536, &last) == FILE_SIZE - 2);
  upload_close(u);
  upload_unref(u);
}

static void refuses_the_end_of_a_file_that_changed(void)
{
  upload_state last;
  upload *u = upload_new(&events);
  file_range r = look(0, FILE_TO_THE_END);
  check(upload_add_file(u, &r));
  file_range_free(&r);
  upload_begin(u, on_more, NULL);
  check(truncate(place, FILE_SIZE - 1) == 0);
  check(read_all(u, 65536, &last) < FILE_SIZE - 1);
  check(last == UPLOAD_FAILED && u->failure.kind == ERROR_file && !upload_rewind(u));
  upload_close(u);
  upload_unref(u);
}

static void asks_a_producer_only_when_it_is_read(void)
{
  upload_state last;
  upload *u = upload_new(&events);
  check(upload_add_bytes(u, "a", 1) && upload_add_producer(u) && upload_add_bytes(u, "z", 1));
  check(u->length == -1 && !upload_wants(u));
  upload_begin(u, on_more, NULL);
  check(read_all(u, 100, &last) == 1 && last == UPLOAD_LATER && upload_wants(u));
  check(upload_rewind(u) && !upload_wants(u)); /* nothing was given out */
  check(read_all(u, 100, &last) == 1);
  check(upload_put(u, "bc", 2) && upload_wants(u));
  check(read_all(u, 100, &last) == 2 && !upload_rewind(u));
  upload_put_end(u);
  check(!upload_wants(u));
  check(read_all(u, 100, &last) == 1 && last == UPLOAD_END && upload_ended(u));
  upload_close(u);
  upload_unref(u);
}

static void keeps_what_it_borrowed(void)
{
  char bytes[] = "borrowed";
  upload *u = upload_of_bytes(bytes, sizeof bytes - 1, &events);
  size_t got;
  check(u->length == 8 && upload_keep(u));
  memset(bytes, 'x', sizeof bytes - 1);
  check(upload_read(u, out, 100, &got) == UPLOAD_BYTES);
  check_bytes(out, got, "borrowed");
  upload_unref(u);
}

int main(void)
{
  int fd = mkstemp(place);
  for (int i = 0; i < FILE_SIZE; i++) out[i] = (char)('a' + i % 26);
  check(fd >= 0 && write(fd, out, FILE_SIZE) == FILE_SIZE && close(fd) == 0);
  check(loop_init(&events, NULL, NULL) == 0);
  events.on_ready = on_ready;
  reads_parts_one_after_the_other_and_again();
  refuses_the_end_of_a_file_that_changed();
  asks_a_producer_only_when_it_is_read();
  keeps_what_it_borrowed();
  unlink(place);
  loop_close(&events, on_more);
  loop_run(&events);
  loop_deinit(&events);
  return unit_end();
}
