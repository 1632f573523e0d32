/* monitor/protocol.c: the table of permitted messages. */
#include "monitor/protocol.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct kind_row {
	uint32_t kind;
	const char *name;
	int32_t value_min, value_max;
	size_t data_min, data_max;
	uint64_t number_max; /* of a and b */
};

#define ANY   UINT64_MAX
#define CELLS UINT16_MAX

/* clang-format off */
static const struct kind_row rows[] = {
	/* kind               name          value              data                   a, b */
	{ MONITOR_HELLO,      "hello",      1, INT32_MAX,      0, 0,                  0 },
	{ MONITOR_ATTACH,     "attach",     1, 7,              0, 0,                  0 },
	{ MONITOR_START,      "start",      0, 0,              0, 0,                  0 },
	{ MONITOR_INPUT,      "input",      0, 0,              1, MONITOR_DATA_MAX,   0 },
	{ MONITOR_INPUT_END,  "input end",  0, 0,              0, 0,                  0 },
	{ MONITOR_RESIZE,     "resize",     0, 0,              0, 0,                  CELLS },
	{ MONITOR_SIGNAL,     "signal",     1, 64,             0, 0,                  0 },
	{ MONITOR_WAIT,       "wait",       0, 0,              0, 0,                  0 },
	{ MONITOR_RESUME,     "resume",     0, 0,              0, 0,                  ANY },
	{ MONITOR_REOPEN_LOG, "reopen log", 0, 0,              0, 0,                  0 },
	{ MONITOR_OK,         "ok",         0, MONITOR_CLIENT_KINDS, 0, 0,            ANY },
	{ MONITOR_ERROR,      "error",      0, INT32_MAX,      0, MONITOR_DATA_MAX,   MONITOR_CLIENT_KINDS },
	{ MONITOR_OUT,        "out",        0, 0,              1, MONITOR_DATA_MAX,   0 },
	{ MONITOR_ERR,        "err",        0, 0,              1, MONITOR_DATA_MAX,   0 },
	{ MONITOR_BEHIND,     "behind",     0, 0,              0, 0,                  ANY },
	{ MONITOR_ROOM,       "room",       0, 0,              0, 0,                  MONITOR_INPUT_WINDOW },
	{ MONITOR_CREATED,    "created",    0, 0,              0, 0,                  INT32_MAX },
	{ MONITOR_EXITED,     "exited",     0, 255,            0, 0,                  ANY },
};
/* clang-format on */

static const struct kind_row *find(uint32_t kind)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == kind)
			return &rows[i];
	return NULL;
}

const char *monitor_kind_name(uint32_t kind)
{
	const struct kind_row *row = find(kind);

	return row ? row->name : "unknown";
}

err *monitor_check(enum monitor_side from, const struct monitor_message *m, size_t len)
{
	if (len < sizeof(m->head))
		return err_new(EPROTO, "message of %zu bytes is too short", len);
	const struct monitor_head *h = &m->head;
	const struct kind_row *row = find(h->kind);
	bool of_server = h->kind >= MONITOR_OK;
	if (!row || of_server != (from == MONITOR_SIDE_SERVER))
		return err_new(EPROTO, "message of unknown kind %u", h->kind);
	size_t data = len - sizeof(m->head);
	if (data < row->data_min || data > row->data_max)
		return err_new(EPROTO, "message '%s' cannot carry %zu bytes", row->name, data);
	if (h->value < row->value_min || h->value > row->value_max)
		return err_new(EPROTO, "message '%s': value %d is out of range", row->name, h->value);
	if (h->a > row->number_max || h->b > row->number_max)
		return err_new(EPROTO, "message '%s': number is out of range", row->name);
	return NULL;
}

err *monitor_send(int sock, uint32_t kind, int32_t value, uint64_t a, uint64_t b, const void *data,
		  size_t len)
{
	struct monitor_head head = { kind, value, a, b };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)data, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1 };
	ssize_t n;

	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_errno("send '%s' to the monitor", monitor_kind_name(kind)) : NULL;
}

err *monitor_recv(int sock, enum monitor_side from, struct monitor_message *m, size_t *ret_len)
{
	ssize_t n;

	do
		n = recv(sock, m, sizeof(*m), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno("receive from the monitor");
	if (n == 0)
		return err_new(EPIPE, "the monitor has hung up");
	if ((size_t)n > sizeof(*m))
		return err_new(EPROTO, "message of %zd bytes is too long", n);
	TRY(monitor_check(from, m, (size_t)n));
	*ret_len = (size_t)n - sizeof(m->head);
	return NULL;
}
