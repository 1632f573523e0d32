/* monitor/protocol.h: the messages between a monitor and its clients, version 1.
 *
 * One message is one packet of a SOCK_SEQPACKET socket: a fixed head, then up to MONITOR_DATA_MAX
 * bytes. Both ends are on one machine and share its byte order. A client opens with HELLO; the
 * monitor answers every request with OK or ERROR, in order, between messages of other kinds.
 *
 * Output. An attached client gets OUT and ERR. A session with a log never waits for a client: one
 * that falls behind gets BEHIND with the place in the log where its gap begins, reads the log from
 * there (monitor/logread.h) and sends RESUME with the place it has reached, until the answer is OK
 * instead of another BEHIND. A session without a log is paced by its readers, as a pipe is.
 *
 * Input. A client may have MONITOR_INPUT_WINDOW bytes of INPUT under way; ROOM says how many were
 * taken from it. More is a breach of the protocol, and the monitor hangs up. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include "base/err.h"
#include "base/macro.h"

#define MONITOR_VERSION      1
#define MONITOR_DATA_MAX     16384
#define MONITOR_INPUT_WINDOW 65536

enum monitor_kind {
	/* client to monitor         value             a, b                  data */
	MONITOR_HELLO = 1,       /* version */
	MONITOR_ATTACH,          /* monitor_attach */
	MONITOR_START,           /* run the created container's process */
	MONITOR_INPUT,           /*                                          bytes for stdin */
	MONITOR_INPUT_END,       /* close stdin */
	MONITOR_RESIZE,          /*                  rows, columns */
	MONITOR_SIGNAL,          /* signal number */
	MONITOR_WAIT,            /* send EXITED when all is over */
	MONITOR_RESUME,          /*                  place read up to */
	MONITOR_REOPEN_LOG,      /* after an outside program has moved the log away */
	MONITOR_CLIENT_KINDS,
	/* monitor to client */
	MONITOR_OK = 64,         /* kind answered    HELLO: pid of the process, monitor_flags;
	                                             others: current place in the log */
	MONITOR_ERROR,           /* errno            kind answered; 0: of create or exec    text */
	MONITOR_OUT,             /*                                          bytes of stdout, or of the terminal */
	MONITOR_ERR,             /*                                          bytes of stderr */
	MONITOR_BEHIND,          /*                  place where the gap begins */
	MONITOR_ROOM,            /*                  bytes of input taken */
	MONITOR_CREATED,         /*                  pid of the container's first process */
	MONITOR_EXITED,          /* exit code        signal or 0, time (ns since the epoch) */
	MONITOR_SERVER_KINDS,
};

enum monitor_attach {
	MONITOR_ATTACH_OUTPUT = 1 << 0,
	MONITOR_ATTACH_INPUT = 1 << 1,  /* refused with EBUSY while another client holds it */
	MONITOR_ATTACH_HISTORY = 1 << 2, /* from the oldest log record on: starts BEHIND */
};

enum monitor_flags {
	MONITOR_FLAG_TTY = 1 << 0,
	MONITOR_FLAG_LOG = 1 << 1,
	MONITOR_FLAG_STARTED = 1 << 2,
};

/* A place in the log: which file since the first (rotation makes the next), and the byte in it. */
struct monitor_place {
	uint64_t generation;
	uint64_t offset;
};

struct monitor_head {
	uint32_t kind;
	int32_t value;
	uint64_t a, b;
};

struct monitor_message {
	struct monitor_head head;
	char data[MONITOR_DATA_MAX];
};

enum monitor_side { MONITOR_SIDE_CLIENT, MONITOR_SIDE_SERVER };

/* Check a packet that came from `from`. Errors: EPROTO, naming what is wrong with it. */
err *monitor_check(enum monitor_side from, const struct monitor_message *m, size_t len) MUST_CHECK;

/* "resize", for messages; "unknown" for what is none. */
const char *monitor_kind_name(uint32_t kind);

/* Send one message, waiting while the socket is full. Data may be NULL when len is 0. */
err *monitor_send(int sock, uint32_t kind, int32_t value, uint64_t a, uint64_t b, const void *data,
		  size_t len) MUST_CHECK;

/* Receive and check one message; waits. *ret_len: bytes of data. End of file is EPIPE. */
err *monitor_recv(int sock, enum monitor_side from, struct monitor_message *m, size_t *ret_len)
	MUST_CHECK;
