/* runtime/criu-wire.h: messages of `criu swrk` as bytes: the few forms of protocol buffers that CRIU's
 * rpc.proto uses. Ref: protobuf.dev, "Encoding"; CRIU's images/rpc.proto. Why no library:
 * docs/decisions/0140-criu.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

/* Append one field; failures stick to `out`. A negative int32 is written sign-extended, as the format wants.
 */
void wire_add_int(struct str *out, unsigned field, int64_t value);
void wire_add_text(struct str *out, unsigned field, const char *text);
void wire_add_message(struct str *out, unsigned field, const struct str *message);

/* One field of a message that was received. */
struct wire_field {
	unsigned number;
	bool is_bytes;
	uint64_t value;	   /* of a number */
	const char *bytes; /* of text and messages; borrowed, no NUL behind it */
	size_t len;
};

/* The field at *at, which moves behind it. *ret_found is false at the end. EBADMSG: no such message. */
err *wire_next(const char **at, const char *end, struct wire_field *ret, bool *ret_found) MUST_CHECK;

/* What CRIU answers; other fields are passed over. */
struct criu_reply {
	uint64_t type; /* enum criu_type */
	bool success;
	int pid;	   /* of a restore, or of a notification */
	int code;	   /* errno of a failure; 0: not told */
	char script[64];   /* the moment that a notification is about */
	char message[512]; /* why it failed; newer releases tell */
};
err *criu_reply_decode(const void *bytes, size_t len, struct criu_reply *ret) MUST_CHECK;
