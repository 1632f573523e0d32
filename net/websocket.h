/* net/websocket.h: WebSocket frames, and the client's side of a WebSocket. Spec: RFC 6455. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "net/http.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
#define WS_MESSAGE_MAX (1u << 20)

/* A frame's head; len is all that has arrived. False: not yet whole, or refused (*ret_error says why). */
struct ws_frame {
	bool fin, masked;
	enum ws_opcode opcode;
	uint64_t length;
	uint8_t mask[4];
	size_t head; /* bytes of the head */
};
bool ws_parse(const uint8_t *bytes, size_t len, bool from_client, struct ws_frame *ret, const char **ret_error);
/* Bytes written to out[14]. mask: NULL from a server. */
size_t ws_head(bool fin, enum ws_opcode opcode, uint64_t length, const uint8_t *mask, uint8_t out[static 14]);
void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[static 4], size_t offset);
/* What a text message must be (RFC 3629: no overlong form, no surrogate). */
bool ws_is_utf8(const void *bytes, size_t len);
/* Sec-WebSocket-Accept of a key, 28 characters. */
void ws_accept(const char *key, char out[static 29]);

/* ---- the channels of exec, as Kubernetes has them: a message's first byte ----
 * Subprotocol v5.channel.k8s.io (v4 without CLOSE_STREAM). */
enum ws_channel { CHANNEL_STDIN = 0, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_STATUS /* a Status document */,
		  CHANNEL_RESIZE /* {"Width":80,"Height":24} */, CHANNEL_CLOSE = 255 /* one byte: the channel that ends */ };

/* ---- a client over libcurl's connection (TLS and client certificate as the http_client's; proxies are not used) ---- */
struct ws_client;
/* refusal: what a server that answers with another status says (status, error_body); else untouched. */
err *ws_connect(struct http_client *c, const char *url, const char *subprotocol, struct http_response *refusal,
		struct ws_client **ret) MUST_CHECK;
/* For poll(2). Ask ws_pending() first: bytes may have arrived and be kept inside. */
int ws_fd(const struct ws_client *w);
/* Take what has arrived, without waiting. True: ws_receive() has a message, the end or an error at once. */
bool ws_pending(struct ws_client *w);
/* Queue a message, whose bytes are `head` and `bytes`, and send what goes without waiting. ENOBUFS: too much is
 * queued, because the other side does not read. */
err *ws_send(struct ws_client *w, enum ws_opcode opcode, const void *head, size_t head_len, const void *bytes, size_t len)
	MUST_CHECK;
/* Bytes in the queue: when there are some, poll for POLLOUT, then flush. */
size_t ws_unsent(const struct ws_client *w);
err *ws_flush(struct ws_client *w) MUST_CHECK;
/* The next whole message, waiting for it, in place of what `out` held; pings are answered. *ret_closed: the other side
 * closed in good order. */
err *ws_receive(struct ws_client *w, struct str *out, enum ws_opcode *ret_opcode, bool *ret_closed) MUST_CHECK;
void ws_client_free(struct ws_client *w);
DEFINE_CLEANUP(struct ws_client *, ws_client_free)
#define auto_ws_client CLEANUP(ws_client_free)
