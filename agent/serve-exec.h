/* agent/serve-exec.h: a command's monitor behind a WebSocket: the relay alone, for serve-exec.c and its test. */
#pragma once
#include "agent/node-internal.h"
#include "monitor/protocol.h"
#include "net/websocket.h"

struct relay_options {
	int sock;            /* of the monitor, greeted; taken */
	bool interactive, tty;
	loop_fn *done;       /* called once, when all is over and the socket closed; may be NULL */
	void *user;
};
/* Answers the request. The relay lives until command and caller have both gone. */
void relay_start(struct loop *loop, struct server_request *r, const struct relay_options *options);
