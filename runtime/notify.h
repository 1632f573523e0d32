/* runtime/notify.h: readiness of a container's service, told to the service manager that started the runtime.
 *
 * NOTIFY_SOCKET of the runtime is the manager's. The container gets another one, ROOT/ID/notify/notify.sock, mounted on
 * /run/notify: what comes there is checked, told with MAINPID of the container's init, and passed on. Datagrams of a
 * container are a stranger's: only known keys pass, and never a pid or a descriptor.
 * Spec: sd_notify(3). */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "oci/config.h"

struct notify {
	int sock; /* the container's, bound; -1: nobody wants to know */
	int host; /* connected to the manager's */
	int pidfd;
	pid_t pid; /* init */
	bool ready;
};
#define NOTIFY_INIT { .sock = -1, .host = -1, .pidfd = -1 }
void notify_done(struct notify *n);
DEFINE_CLEANUP_OF(struct notify, notify_done)
#define auto_notify CLEANUP(notify_done)

/* NOTIFY_SOCKET of the environment; NULL without one. EINVAL: a form that is neither a path nor abstract. */
err *notify_host(const char **ret) MUST_CHECK;

/* create, run: make the directory in ROOT/ID (dir_fd), and a copy of `config` in the arena with its mount and with
 * NOTIFY_SOCKET in process.env. */
err *notify_prepare(struct arena *arena, int dir_fd, const struct oci_config *config,
		    const struct oci_config **ret) MUST_CHECK;

/* run, start: bind the socket and connect to `host`. A container made without the directory leaves n->sock -1. */
err *notify_open(int dir_fd, const char *host, struct notify *n) MUST_CHECK;

/* Take one datagram and pass it on; n->ready once READY=1 was in one. */
err *notify_relay(struct notify *n) MUST_CHECK;

/* Relay until the service is ready, the container ends, or a signal interrupts. Then wait for the manager to have read
 * it, since it asks who the sender is. */
err *notify_wait_ready(struct notify *n) MUST_CHECK;

/* What is passed on of a datagram; empty when nothing is. *ret_ready: READY=1 is in it. */
void notify_filter(const char *bytes, size_t len, pid_t pid, struct str *out, bool *ret_ready);
