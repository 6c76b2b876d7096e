/* What is told of a transfer beside its status, head and body: plain data that outlives it. */
#ifndef LURCHER_NET_TRANSFER_SUMMARY_H
#define LURCHER_NET_TRANSFER_SUMMARY_H

#include "net/transfer/transfer.h"

typedef struct {
  transfer_times times; /* nanoseconds of the loop's clock */
  uint64_t rate_wait;   /* the part of the queue's time that it waited for a rate, a hold or a limiter */
  uint64_t bytes_received, bytes_sent;
  uint64_t at; /* when this was taken */
  int version; /* 10, 11, 20; 0 when there was no response */
  bool reused;
  int remote_port;
  char reason[HEAD_REASON_SIZE];
  char remote_address[TRANSFER_ADDRESS_SIZE];
} transfer_summary;

void transfer_summarize(transfer_summary *s, const transfer *t);

/* What the metrics count of it, at its end; `given_up`: by the script, before it had ended. */
metrics_attempt transfer_attempt(const transfer *t, bool given_up);

#endif
