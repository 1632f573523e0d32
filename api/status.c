/* api/status.c: errors as Status documents, both ways. Ref: Kubernetes meta/v1 Status. */
#include "api/status.h"

#include <ctype.h>

#define STATUS_MESSAGE_MAX 4096
#define STATUS_ARENA_MAX   (16u << 20)

/* clang-format off */
static const struct field cause_fields[] = {
	FIELD(struct status_cause, "reason",  reason,  t_string, EMPTY_ABSENT, NULL),
	FIELD(struct status_cause, "message", message, t_string, EMPTY_ABSENT, NULL),
	KNOWN("field", IGNORED),
	{0}
};
static const struct type t_cause = OBJECT_STRICT("cause", struct status_cause, cause_fields);
static const struct type t_causes = ARRAY_OF(t_cause);
static const struct field details_fields[] = {
	FIELD(struct status_details, "name",              name,                t_string, EMPTY_ABSENT, NULL),
	FIELD(struct status_details, "group",             group,               t_string, EMPTY_ABSENT, NULL),
	FIELD(struct status_details, "kind",              kind,                t_string, EMPTY_ABSENT, NULL),
	FIELD(struct status_details, "uid",               uid,                 t_string, EMPTY_ABSENT, NULL),
	FIELD(struct status_details, "retryAfterSeconds", retry_after_seconds, t_i32,    OMIT_ZERO, NULL),
	FIELD(struct status_details, "causes",            causes,              t_causes, 0, NULL),
	{0}
};
static const struct type t_details = OBJECT_STRICT("details", struct status_details, details_fields);
static const struct field status_fields[] = {
	FIELD(struct status, "kind",       kind,        t_string,  0, NULL),
	FIELD(struct status, "apiVersion", api_version, t_string,  0, NULL),
	KNOWN("metadata", IGNORED),
	FIELD(struct status, "status",     status,      t_string,  EMPTY_ABSENT, NULL),
	FIELD(struct status, "message",    message,     t_string,  EMPTY_ABSENT, NULL),
	FIELD(struct status, "reason",     reason,      t_string,  EMPTY_ABSENT, NULL),
	FIELD(struct status, "details",    details,     t_details, OMIT_ZERO, NULL),
	FIELD(struct status, "code",       code,        t_i32,     OMIT_ZERO, NULL),
	{0}
};
const struct type t_status = OBJECT_STRICT("Status", struct status, status_fields);

static const struct row {
	int error, code;
	const char *reason;
} rows[] = {
	{ EBADMSG,      400, "BadRequest" },
	{ EACCES,       401, "Unauthorized" },
	{ EPERM,        403, "Forbidden" },
	{ ENOENT,       404, "NotFound" },
	{ EOPNOTSUPP,   405, "MethodNotAllowed" },
	{ ESTALE,       409, "Conflict" },      /* before AlreadyExists: what 409 means without a reason */
	{ EEXIST,       409, "AlreadyExists" },
	{ EKEYEXPIRED,  410, "Expired" },
	{ EFBIG,        413, "RequestEntityTooLarge" },
	{ EPROTOTYPE,   415, "UnsupportedMediaType" },
	{ EINVAL,       422, "Invalid" },
	{ EBUSY,        429, "TooManyRequests" },
	{ ECONNREFUSED, 503, "ServiceUnavailable" },
	{ ETIMEDOUT,    504, "Timeout" },
	{ EOVERFLOW,    504, "Timeout" },
	{ ENOSPC,       507, "InsufficientStorage" },
	{ EIO,          500, "InternalError" }, /* the last: every other error */
	/* What other servers say. */
	{ EKEYEXPIRED,  410, "Gone" },
	{ ETIMEDOUT,    504, "ServerTimeout" },
};
/* clang-format on */
#define ROWS_OURS 17

static const struct row *by_error(int error)
{
	size_t i = 0;

	while (i < ROWS_OURS - 1 && rows[i].error != error)
		i++;
	return &rows[i];
}

int status_code(int errno_code)
{
	return by_error(errno_code)->code;
}

const char *status_reason(int errno_code)
{
	return by_error(errno_code)->reason;
}

int status_errno(int http_code, const char *reason)
{
	for (size_t i = 0; reason && i < ARRAY_LEN(rows); i++)
		if (str_equal(rows[i].reason, reason))
			return rows[i].error;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == http_code)
			return rows[i].error;
	return http_code >= 400 && http_code < 500 ? EBADMSG : EIO;
}

/* ---- writing ---- */

static void add_status(struct str *out, const struct status *s)
{
	encode_text(out, &t_status, s, 0);
}

void status_encode_err(struct str *out, const err *e, const char *kind, const char *name)
{
	auto_str struct str message = STR_INIT(JSON_SIZE_MAX);
	struct status s = {
		.kind = "Status",
		.api_version = "v1",
		.status = "Failure",
		.reason = status_reason(e->code),
		.code = status_code(e->code),
		.details = { .kind = kind, .name = name, .retry_after_seconds = e->code == EBUSY },
	};
	/* Clients know by it that they have to list anew, without a revision. */
	struct status_cause too_large = { "ResourceVersionTooLarge", "Too large resource version" };

	if (e->code == EOVERFLOW) {
		s.details.retry_after_seconds = 1;
		s.details.causes.items = &too_large;
		s.details.causes.count = 1;
	}

	err_format(e, &message);
	s.message = message.data;
	add_status(out, &s);
}

void status_encode_success(struct str *out, const char *kind, const char *name, const char *uid)
{
	struct status s = {
		.kind = "Status",
		.api_version = "v1",
		.status = "Success",
		.code = 200,
		.details = { .kind = kind, .name = name, .uid = uid },
	};

	add_status(out, &s);
}

/* ---- reading ---- */

/* The first line of what is no Status. */
static err *plain_error(int http_code, const char *text, size_t len)
{
	int shown = 0;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while ((size_t)shown < len && shown < 200 && text[shown] && text[shown] != '\n' && text[shown] != '\r')
		shown++;
	return err_new(status_errno(http_code, NULL), "HTTP %d%s%.*s", http_code, shown ? ": " : "", shown, text);
}

static err *decode(struct arena *arena, const char *text, size_t len, struct status *ret)
{
	struct decoder d = { .arena = arena, .name = "Status", .lenient = true };

	TRY(decode_text(&d, &t_status, NULL, text, len, ret));
	return str_equal(ret->kind, "Status") ? NULL : err_new(EINVAL, "no Status");
}

err *status_decode(int http_code, const char *text, size_t len)
{
	auto_arena struct arena *arena = NULL;
	struct status s;

	TRY(arena_new(STATUS_ARENA_MAX, &arena));
	auto_err err *unlike = decode(arena, text, len, &s);
	if (unlike)
		return plain_error(http_code, text, len);
	if (str_equal(s.status, "Success") && http_code < 400)
		return NULL;
	if (http_code < 400 && s.code >= 400) /* within a stream that began well */
		http_code = s.code;
	int error = status_errno(http_code, s.reason);
	return s.message ? err_new(error, "%.*s", STATUS_MESSAGE_MAX, s.message) :
			   err_new(error, "HTTP %d: %.100s", http_code, s.reason ? s.reason : "no message");
}
