/* What a multi runs: an easy handle whose CURLOPT_PRIVATE is a multi_job, embedded in what the handle works
 * for. The multi knows nothing else of it, no HTTP either. */
#ifndef LURCHER_NET_MULTI_JOB_H
#define LURCHER_NET_MULTI_JOB_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct multi_job multi_job;

/* How libcurl ended a job. */
typedef struct {
  CURLcode code;
  bool no_descriptor; /* in the same call of libcurl, socket() failed for want of a descriptor */
  bool others_failed; /* in the same call, libcurl had an error text for another job of this multi */
} multi_result;

typedef struct {
  /* It is over; the handle is still the multi's. Afterwards the job may be gone. Not called by libcurl's
   * callbacks. True: it failed, and libcurl had an error text for it. */
  bool (*finished)(multi_job *job, const multi_result *result);

  /* libcurl wants nothing of the job's socket for now: whether more may come over it (its reader is slow, or
   * other exchanges share the connection) or the exchange is over. Called by libcurl's callbacks. */
  bool (*expects_more)(const multi_job *job);

  /* It asks for a socket: whether it may have one, or has to fail (CURLE_COULDNT_CONNECT). Called by
   * libcurl's callbacks. */
  bool (*may_connect)(multi_job *job);

  /* It would connect that socket to the address, which may be changed: whether it may, or has to go on
   * without it. Called by libcurl's callbacks. */
  bool (*may_reach)(multi_job *job, struct curl_sockaddr *address);

  /* It has no connection yet. */
  bool (*connects)(const multi_job *job);
} multi_job_class;

struct multi_job {
  const multi_job_class *class;

  /* The multi's. */
  struct multi *multi;
  CURL *easy;
  multi_job *next_lost; /* among those that lost a socket while they connected */
  uint16_t sockets;     /* made for it; watchers that point here */
  bool lost;
  bool blames;  /* set by the job: its end blames the addresses it was connecting to */
  bool picks;   /* set by the job: addresses that did not answer lately are left out … */
  bool skipped; /* … and were */
  bool opened;  /* a socket was made for it; the job clears this when it is connected */
};

#endif
