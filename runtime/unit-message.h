/* runtime/unit-message.h: the request and the reply between stube-runtime and stube-systemd, as bytes.
 *
 * One message each over a SOCK_SEQPACKET pair, little-endian as the machine is, texts with a length of 16
 * bits in front. Both programs are installed together; the version tells when they are not. A reader believes
 * nothing: every length is bounded by what came, texts hold no NUL, counts have ceilings. */
#pragma once
#include "base/str.h"
#include "runtime/unit.h"

#define UNIT_MESSAGE_VERSION 1
#define UNIT_MESSAGE_MAX     (64 * 1024)
#define UNIT_PROPERTIES_MAX  256
#define UNIT_ITEMS_MAX	     1024

enum unit_op { UNIT_OP_START = 1, UNIT_OP_STOP, UNIT_OP_UPDATE, UNIT_OP_ATTACH };

struct unit_request {
	enum unit_op op;
	bool user;
	uint32_t timeout_ms;
	uint32_t pid; /* of attach, as the helper's namespace numbers it */
	const char *name;
	const char *invocation; /* of stop; "" otherwise */
	const char *place;	/* of attach: "/web" below the unit, or "" */
	struct unit_properties properties;
};
struct unit_reply {
	uint32_t code;		/* errno, 0: done */
	const char *text;	/* why not, one line */
	const char *invocation; /* of start */
};

/* Append; failures stick to `out` (str_check()). */
void unit_request_encode(struct str *out, const struct unit_request *request);
void unit_reply_encode(struct str *out, const struct unit_reply *reply);

/* EBADMSG, EPROTO for another version. Everything in the arena. */
err *unit_request_decode(struct arena *arena, const void *bytes, size_t len,
			 struct unit_request *ret) MUST_CHECK;
err *unit_reply_decode(struct arena *arena, const void *bytes, size_t len, struct unit_reply *ret) MUST_CHECK;
