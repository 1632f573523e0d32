/* monitor/session-internal.h: what the parts of a running monitor share. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include "base/memory-watch.h"
#include "base/str.h"
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/protocol.h"
#include "monitor/session.h"
#include "monitor/state.h"

enum { PEERS_MAX = 16, ORPHANS_MAX = 64, EVENTS_MAX = 16, PEER_QUEUE_MAX = 64 * 1024 };

/* One descriptor in the loop. */
struct source {
	int fd; /* -1: unused */
	uint32_t events;
	void (*ready)(struct session *s, struct source *source, uint32_t events);
};

/* A connected client. Its queue holds whole packets, each behind its length. */
struct peer {
	struct source source; /* first: ready() gets from the source to its peer */
	bool used, greeted, first, starter, attached, behind, waiting, holds_input;
	uint64_t input_credit; /* bytes of INPUT it may still send */
	struct str queue;
};

struct orphan {
	pid_t pid;
	int status;
};

struct session {
	const struct monitor_options *options;
	int dir_fd, keep_fd, epoll_fd;
	enum monitor_state state;
	enum monitor_event pending[EVENTS_MAX];
	size_t pending_count;

	struct source signals, listener, timer, console_listener, container;
	struct source streams[2]; /* stdout (or the terminal), stderr */
	struct source input;      /* stdin (or the terminal once more) */
	struct peer peers[PEERS_MAX];

	struct str input_buffer;
	bool input_ended;
	bool paced; /* reading of output waits for a client */
	bool ever_attached;

	struct monitor_log *log;
	pid_t runtime_pid;
	pid_t pid;
	int pidfd;
	struct memory_watch memory; /* of the container's cgroup */
	struct source memory_source;
	bool exited; /* the process was reaped; record says how */
	struct orphan orphans[ORPHANS_MAX];
	size_t orphan_count;
	struct exit_record record;
	bool recorded; /* on disk */
	struct str failure;
};

/* loop.c */
err *monitor_loop_open(struct session *s) MUST_CHECK;
err *monitor_loop_run(struct session *s) MUST_CHECK;
void monitor_loop_watch(struct session *s, struct source *source, int fd, uint32_t events,
			void (*ready)(struct session *, struct source *, uint32_t));
void monitor_loop_change(struct session *s, struct source *source, uint32_t events);
void monitor_loop_forget(struct session *s, struct source *source); /* and close */
void monitor_loop_timer(struct session *s, int64_t nsec);
void monitor_loop_post(struct session *s, enum monitor_event event);

/* child.c: the runtime as a program, and who died */
err *child_spawn(struct session *s, const char *command, const int stdio[3]) MUST_CHECK;
void child_reap(struct session *s);
err *child_find(struct session *s) MUST_CHECK; /* pid file to pid, pidfd */
void child_error(struct session *s, struct str *out);
void child_console_path(struct session *s, char *out, size_t size);
void child_watch_memory(struct session *s);

/* stdio.c: FIFOs, console, input */
err *stdio_open(struct session *s, int ret_stdio[3]) MUST_CHECK;
err *stdio_reopen(struct session *s) MUST_CHECK; /* adoption */
void stdio_console_ready(struct session *s, struct source *source, uint32_t events);
void stdio_output_ready(struct session *s, struct source *source, uint32_t events);
void stdio_input_ready(struct session *s, struct source *source, uint32_t events);
void stdio_input_changed(struct session *s);
void stdio_pace(struct session *s);
bool stdio_drained(const struct session *s);
int stdio_resize(struct session *s, unsigned rows, unsigned columns); /* errno or 0 */

/* peer.c: clients */
err *peer_listen(struct session *s) MUST_CHECK;
struct peer *peer_add(struct session *s, int fd);
void peer_send(struct session *s, struct peer *p, uint32_t kind, int32_t value, uint64_t a, uint64_t b,
	       const void *data, size_t len);
void peer_output(struct session *s, enum monitor_stream stream, struct monitor_place before,
		 const char *bytes, size_t len);
void peer_all(struct session *s, bool (*wants)(const struct peer *), uint32_t kind, int32_t value,
	      uint64_t a, uint64_t b);
struct peer *peer_starter(struct session *s);
bool peer_first_here(const struct session *s); /* the client that the monitor was born with */
bool peer_pending(const struct session *s, bool of_readers); /* something is not sent yet */
void peer_input_taken(struct session *s, size_t bytes);

/* The actions of the state table: session.c */
void act_none(struct session *s);
void act_created(struct session *s);
void act_failed(struct session *s);
void act_unwanted(struct session *s);
void act_start(struct session *s);
void act_started(struct session *s);
void act_entered(struct session *s);
void act_exited(struct session *s);
void act_forward_term(struct session *s);
void act_delete(struct session *s);
void act_done(struct session *s);
