/* agent/monitor.h: the client's side of a monitor: start one, connect, attach, signal, wait.
 * Protocol: monitor/protocol.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "monitor/session.h"

/* Start a monitor as a program of its own.
 *   program   path of stube-monitor
 *   options   root_fd, lock_fd, lease_fd are inherited by it, and stay open here; starter_fd is not used
 *   ret_sock  connected and greeted; closing it before monitor_start_container() undoes everything,
 *             but not with options->adopt
 * The monitor's own failures arrive with the first call that uses the socket. */
err *monitor_spawn(const char *program, const struct monitor_options *options, int *ret_sock) MUST_CHECK;

/* Wait until the runtime has created the container, or entered it for an exec session; else its words. */
err *monitor_wait_created(int sock, pid_t *ret_pid) MUST_CHECK;

/* Run the created container's process, without attaching. */
err *monitor_start_container(int sock) MUST_CHECK;

/* Connect to the monitor that serves the folder `dir`. ECONNREFUSED or ENOENT: there is none. */
err *monitor_connect(const char *dir, int *ret_sock) MUST_CHECK;

/* Send one request and wait for its answer. For sockets that are not attached. */
err *monitor_request(int sock, enum monitor_kind kind, int32_t value, uint64_t a, uint64_t b) MUST_CHECK;

struct monitor_end {
	int code;      /* exit code; 128 + signal */
	int signal;    /* 0: none */
	int64_t time;  /* ns since the epoch */
	bool deaf;     /* the reader of our stdout or stderr has gone: we left, the process goes on */
	uint64_t lost; /* log files that were rotated away before a slow reader got there */
};

/* Wait until the process has ended and all is cleaned up, its lock free. timeout in ns; -1: for ever; ETIMEDOUT. */
err *monitor_wait(int sock, int64_t timeout, struct monitor_end *ret) MUST_CHECK;

/* Wait until a monitor whose create failed has gone, whatever it still says. */
void monitor_wait_gone(int sock);

struct monitor_attachment {
	int sock;
	bool input;      /* relay our stdin */
	bool tty;        /* the process has a terminal; ours, if stdin is one, becomes raw meanwhile */
	bool start;      /* run the created container's process once attached */
	bool entering;   /* an exec session that the runtime is about to make: its words are ours */
	bool signals;    /* pass on INT, TERM, HUP, QUIT, USR1, USR2 that this process gets */
	int log_dir_fd;  /* the container's kept folder, to catch up from its log; -1: no log */
};

/* Relay between our stdin, stdout, stderr and the process until it ends, or until nobody reads our
 * output (ret->deaf, code 128 + SIGPIPE). The terminal is as before on return.
 * Errors: the runtime's words when the start fails; what reading and writing say. */
err *monitor_attach(const struct monitor_attachment *attachment, struct monitor_end *ret) MUST_CHECK;

/* "TERM", "SIGTERM", "15": its number; 0: unknown. */
int monitor_signal_number(const char *text);
