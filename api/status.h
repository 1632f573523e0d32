/* api/status.h: failures as the API says them: HTTP code, reason, message; and the errno of each.
 * Ref: Kubernetes meta/v1 Status.
 *
 *	errno        code  reason                   when
 *	EBADMSG      400   BadRequest               not HTTP, JSON or a query that we understand
 *	EACCES       401   Unauthorized             nobody that we know
 *	EPERM        403   Forbidden                known, but may not
 *	ENOENT       404   NotFound
 *	EOPNOTSUPP   405   MethodNotAllowed
 *	EEXIST       409   AlreadyExists
 *	ESTALE       409   Conflict                 it has changed since it was read
 *	EKEYEXPIRED  410   Expired                  the revision is no longer kept: list again
 *	EFBIG        413   RequestEntityTooLarge
 *	EPROTOTYPE   415   UnsupportedMediaType
 *	EINVAL       422   Invalid                  names the field
 *	EBUSY        429   TooManyRequests
 *	ECONNREFUSED 503   ServiceUnavailable       not yet, or no longer
 *	ETIMEDOUT    504   Timeout
 *	ENOSPC       507   InsufficientStorage      the store's disk is full
 *	others       500   InternalError */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "base/decode.h"

struct status_cause {
	const char *reason, *message;
};
struct status_details {
	const char *name, *group, *kind, *uid;
	int32_t retry_after_seconds;
	LIST(struct status_cause) causes; /* written only; what servers say here is passed over */
};
struct status {
	const char *api_version, *kind;
	const char *status; /* "Success" or "Failure" */
	const char *message, *reason;
	struct status_details details;
	int32_t code;
};
extern const struct type t_status;

int status_code(int errno_code);           /* 404 */
const char *status_reason(int errno_code); /* "NotFound" */
int status_errno(int http_code, const char *reason); /* reason may be NULL */

/* Append the Status document of an error. kind and name of the object meant; may be NULL. */
void status_encode_err(struct str *out, const err *e, const char *kind, const char *name);
void status_encode_success(struct str *out, const char *kind, const char *name, const char *uid);

/* The error that a server's answer means; text that is no Status gives "HTTP 502" with its beginning. */
err *status_decode(int http_code, const char *text, size_t len);
