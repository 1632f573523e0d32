/* runtime/steps.c: the step tables and the loop that both sides walk over them. */
#include "runtime/steps.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/plan.h"

#define SPEC "runtime-spec "

/* clang-format off */
const struct step steps_create[] = {
	{ STEP_ENTER_UNIT,       STEP_PARENT, PLAN_ENTER_UNIT,      "enter systemd unit",     "by its manager, where the kernel lets only that: before the first namespace" },
	{ STEP_JOIN,             STEP_EARLY,  PLAN_JOIN,            "join namespaces",        "setns(2): with the caller's rights, before a user namespace of our own" },
	{ STEP_UNSHARE_USER,     STEP_EARLY,  PLAN_LATE_USER,       "new user namespace",     "user_namespaces(7): joined namespaces belong to another one" },
	{ STEP_MAP_IDS,          STEP_PARENT, PLAN_NEW_USER,        "map ids",                SPEC "config-linux.md#user-namespace-mappings" },
	{ STEP_BECOME_ROOT,      STEP_EARLY,  PLAN_USER,            "become root",            "capabilities(7): an exec by an unmapped user would lose them" },
	{ STEP_UNSHARE,          STEP_EARLY,  PLAN_UNSHARE,         "new namespaces",         "unshare(2): owned by the user namespace that was entered" },
	{ STEP_TIME_OFFSETS,     STEP_EARLY,  PLAN_NEW_TIME,        "time offsets",           "time_namespaces(7): before the first process is inside" },
	{ STEP_FORK,             STEP_EARLY,  PLAN_FORK,            "enter pid namespace",    "pid_namespaces(7): only children enter" },
	{ STEP_ADOPT,            STEP_PARENT, PLAN_FORK,            "adopt child",            "clone(2) CLONE_PARENT: the survivor is the runtime's child" },
	{ STEP_CGROUP_NAMESPACE, STEP_EARLY,  PLAN_NEW_CGROUP,      "new cgroup namespace",   "cgroup_namespaces(7): its root is where the process is now" },
	{ STEP_LIMITS,           STEP_PARENT, PLAN_LIMITS,          "limits",                 SPEC "config.md#posix-process: prlimit(2) with the caller's rights" },
	{ STEP_NET_DEVICES,      STEP_PARENT, PLAN_NET_DEVICES,     "network devices",        SPEC "config-linux.md#network-devices: with rights over the host's, before hooks and sysctls that expect them" },
	{ STEP_ENTER_INIT,       STEP_EARLY,  0,                    "execute stube-init",     "CVE-2019-5736: nothing of the host's binary is mapped inside" },
	{ STEP_SEND_PLAN,        STEP_PARENT, 0,                    "send plan",              "descriptors only after the child cannot be traced" },
	{ STEP_KEYRING,          STEP_CHILD,  PLAN_KEYRING,         "session keyring",        "session-keyring(7)" },
	{ STEP_LOOPBACK,         STEP_CHILD,  PLAN_NEW_NET,         "loopback interface",     "netdevice(7)" },
	{ STEP_NAMES,            STEP_CHILD,  PLAN_NAMES,           "host name",              SPEC "config.md#hostname" },
	{ STEP_ROOT,             STEP_CHILD,  0,                    "mount root",             SPEC "config.md#root" },
	{ STEP_MOUNTS,           STEP_CHILD,  0,                    "mounts",                 SPEC "config.md#mounts" },
	{ STEP_DEVICES,          STEP_CHILD,  0,                    "devices",                SPEC "config-linux.md#default-devices" },
	{ STEP_TERMINAL,         STEP_CHILD,  PLAN_TERMINAL,        "terminal",               "TIOCGPTPEER: never by path; needs the container's devpts" },
	{ STEP_SYSCTL,           STEP_CHILD,  PLAN_SYSCTL,          "sysctl",                 SPEC "config-linux.md#sysctl" },
	{ STEP_HOOKS_RUNTIME,    STEP_PARENT, PLAN_HOOKS_RUNTIME,   "createRuntime hooks",    SPEC "config.md#createruntime-hooks" },
	{ STEP_HOOKS_CONTAINER,  STEP_CHILD,  PLAN_HOOKS_CONTAINER, "createContainer hooks",  SPEC "config.md#createcontainer-hooks" },
	{ STEP_PATHS,            STEP_CHILD,  PLAN_PATHS,           "masked paths",           SPEC "config-linux.md#masked-paths: after the last mount" },
	{ STEP_ROOT_READONLY,    STEP_CHILD,  PLAN_ROOT_READONLY,   "read-only root",         SPEC "config.md#root: nothing is made there any more" },
	{ STEP_PIVOT,            STEP_CHILD,  0,                    "pivot root",             "pivot_root(2)" },
	{ STEP_STDIO,            STEP_CHILD,  PLAN_TERMINAL,        "controlling terminal",   "credentials(7): a session of its own" },
	{ STEP_LABELS,           STEP_CHILD,  PLAN_LABELS,          "security labels",        "through the runtime's own procfs: CVE-2019-16884, 2025-52881" },
	{ STEP_SCHEDULING,       STEP_CHILD,  PLAN_SCHEDULING,      "scheduling",             SPEC "config.md#scheduler: while capabilities are there" },
	{ STEP_LANDLOCK_RULES,   STEP_CHILD,  PLAN_LANDLOCK,        "landlock rules",         "landlock(7): paths in the new root, while it may look up any" },
	{ STEP_USER,             STEP_CHILD,  0,                    "user and capabilities",  SPEC "config.md#user" },
	{ STEP_CWD,              STEP_CHILD,  0,                    "working directory",      "CVE-2024-21626: as the user, inside the root" },
	{ STEP_FIND_PROGRAM,     STEP_CHILD,  0,                    "find program",           "create reports what start could not run" },
	{ STEP_RECORD,           STEP_PARENT, 0,                    "record state",           SPEC "runtime.md#state" },
	{0}
};

const struct step steps_start[] = {
	{ STEP_HOOKS_START,      STEP_CHILD,  PLAN_HOOKS_START,     "startContainer hooks",   SPEC "config.md#startcontainer-hooks" },
	{ STEP_LANDLOCK,         STEP_CHILD,  PLAN_LANDLOCK,        "landlock",               "landlock_restrict_self(2): after the hooks, before a filter that need not allow it" },
	{ STEP_SECCOMP,          STEP_CHILD,  PLAN_SECCOMP,         "seccomp filter",         "seccomp(2): last, so that it need not allow our own calls" },
	{ STEP_EXEC,             STEP_CHILD,  0,                    "execute program",        "execve(2)" },
	{0}
};

const struct step steps_exec[] = {
	{ STEP_ENTER_UNIT,       STEP_PARENT, PLAN_ENTER_UNIT,      "enter systemd unit",     "by its manager, where the kernel lets only that: before the first namespace" },
	{ STEP_JOIN,             STEP_EARLY,  0,                    "join namespaces",        "setns(2) with one pidfd" },
	{ STEP_FORK,             STEP_EARLY,  PLAN_FORK,            "enter pid namespace",    "pid_namespaces(7): only children enter" },
	{ STEP_ADOPT,            STEP_PARENT, PLAN_FORK,            "adopt child",            "clone(2) CLONE_PARENT" },
	{ STEP_BECOME_ROOT,      STEP_EARLY,  PLAN_USER,            "become root",            "capabilities(7)" },
	{ STEP_LIMITS,           STEP_PARENT, PLAN_LIMITS,          "limits",                 SPEC "config.md#posix-process: prlimit(2) with the caller's rights" },
	{ STEP_ENTER_INIT,       STEP_EARLY,  0,                    "execute stube-init",     "CVE-2019-5736, CVE-2016-9962" },
	{ STEP_SEND_PLAN,        STEP_PARENT, 0,                    "send plan",              "descriptors only after the child cannot be traced" },
	{ STEP_KEYRING,          STEP_CHILD,  PLAN_KEYRING,         "session keyring",        "session-keyring(7)" },
	{ STEP_TERMINAL,         STEP_CHILD,  PLAN_TERMINAL,        "terminal",               "in the container's devpts" },
	{ STEP_STDIO,            STEP_CHILD,  PLAN_TERMINAL,        "controlling terminal",   "credentials(7)" },
	{ STEP_LABELS,           STEP_CHILD,  PLAN_LABELS,          "security labels",        "through the runtime's own procfs" },
	{ STEP_SCHEDULING,       STEP_CHILD,  PLAN_SCHEDULING,      "scheduling",             "while capabilities are there" },
	{ STEP_LANDLOCK_RULES,   STEP_CHILD,  PLAN_LANDLOCK,        "landlock rules",         "landlock(7): paths in the new root, while it may look up any" },
	{ STEP_USER,             STEP_CHILD,  0,                    "user and capabilities",  SPEC "config.md#user" },
	{ STEP_CWD,              STEP_CHILD,  0,                    "working directory",      "CVE-2024-21626" },
	{ STEP_FIND_PROGRAM,     STEP_CHILD,  0,                    "find program",           "before the caller is told a pid" },
	{ STEP_RECORD,           STEP_PARENT, 0,                    "record process",         "--pid-file" },
	{ STEP_LANDLOCK,         STEP_CHILD,  PLAN_LANDLOCK,        "landlock",               "landlock_restrict_self(2): after the hooks, before a filter that need not allow it" },
	{ STEP_SECCOMP,          STEP_CHILD,  PLAN_SECCOMP,         "seccomp filter",         "seccomp(2)" },
	{ STEP_EXEC,             STEP_CHILD,  0,                    "execute program",        "execve(2)" },
	{0}
};

const struct step steps_hotplug[] = {
	{ STEP_JOIN,             STEP_EARLY,  0,                    "join namespaces",        "setns(2) with one pidfd" },
	{ STEP_FORK,             STEP_EARLY,  PLAN_FORK,            "enter pid namespace",    "pid_namespaces(7): a proc file system is that of its maker" },
	{ STEP_ADOPT,            STEP_PARENT, PLAN_FORK,            "adopt child",            "clone(2) CLONE_PARENT" },
	{ STEP_BECOME_ROOT,      STEP_EARLY,  PLAN_USER,            "become root",            "capabilities(7)" },
	{ STEP_ENTER_INIT,       STEP_EARLY,  0,                    "execute stube-init",     "CVE-2019-5736, CVE-2016-9962" },
	{ STEP_SEND_PLAN,        STEP_PARENT, 0,                    "send plan",              "descriptors only after the child cannot be traced" },
	{ STEP_HOTPLUG,          STEP_CHILD,  0,                    "change mounts",          "in the container's mount namespace, by descriptors" },
	{0}
};
/* clang-format on */

/* What goes over the socket when ownership changes, or when a side gives up. */
struct message {
	uint32_t next; /* index of the row to go on with */
	int32_t code;  /* 0, or the errno of an error whose text follows */
	char text[STEP_TEXT_MAX];
};
#define MESSAGE_HEAD offsetof(struct message, text)

size_t steps_after(const struct step *table, enum step_id id)
{
	for (size_t i = 0; table[i].name; i++)
		if (table[i].id == id)
			return i + 1;
	return 0;
}

err *walk_send_error(int sock, const err *e)
{
	struct message m = { .code = e->code > 0 ? e->code : EIO };
	auto_str struct str text = STR_INIT(STEP_TEXT_MAX - 1);
	const char *hint = err_first_hint(e);

	err_format(e, &text);
	if (hint) {
		str_add_char(&text, '\n');
		str_add(&text, hint);
	}
	memcpy(m.text, text.data, text.len);
	return fd_send(sock, &m, MESSAGE_HEAD + text.len + 1, NULL, 0);
}

err *walk_give_turn(int sock, size_t next)
{
	struct message m = { .next = (uint32_t)next };

	return fd_send(sock, &m, MESSAGE_HEAD, NULL, 0);
}

/* Text of the other side: one level; its hint stands behind a line break. */
static err *received_error(struct message *m, size_t len)
{
	m->text[MIN(len - MESSAGE_HEAD, sizeof m->text - 1)] = '\0';
	char *hint = strchr(m->text, '\n');
	if (hint)
		*hint++ = '\0';
	err *e = err_new(m->code, "%s", m->text);
	return hint ? err_hint(e, "%s", hint) : e;
}

/* recvmsg(2) with the sender's pid, which the kernel translates into our pid namespace. */
static ssize_t receive(struct walk *w, struct message *m)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { m, sizeof *m };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = w->sender ? control.bytes : NULL,
		.msg_controllen = w->sender ? sizeof control.bytes : 0,
	};
	ssize_t n;

	do
		n = recvmsg(w->sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0 || !w->sender)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		struct ucred cred;
		memcpy(&cred, CMSG_DATA(c), sizeof cred);
		*w->sender = cred.pid;
	}
	return n;
}

err *walk_take_turn(struct walk *w, const char *what, size_t next)
{
	struct message m = { 0 };

	if (w->wait)
		TRY(err_wrap(w->wait(w->sock), "%s", what));
	ssize_t n = receive(w, &m);

	/* A child that was killed with unread data resets the connection instead of closing it. */
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_wrap(err_new(EPIPE, "the other side ended unexpectedly"), "%s", what);
	if (n < 0)
		return err_errno("%s: receive", what);
	if ((size_t)n < MESSAGE_HEAD)
		return err_new(EPROTO, "%s: short message", what);
	if (m.code)
		return received_error(&m, (size_t)n);
	if (m.next != next)
		return err_new(EPROTO, "%s: other side is at row %u, this one at %zu", what, m.next,
			       next);
	return NULL;
}

err *walk_send_result(int sock, const void *bytes, size_t len)
{
	struct message m = { .next = STEP_COUNT };

	if (len > sizeof m.text)
		return err_new(EMSGSIZE, "result of %zu bytes", len);
	memcpy(m.text, bytes, len);
	return fd_send(sock, &m, MESSAGE_HEAD + len, NULL, 0);
}

err *walk_take_result(struct walk *w, void *bytes, size_t len)
{
	struct message m = { 0 };
	ssize_t n = receive(w, &m);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_new(EPIPE, "the other side ended unexpectedly");
	if (n < 0)
		return err_errno("receive result");
	if ((size_t)n >= MESSAGE_HEAD && m.code)
		return received_error(&m, (size_t)n);
	if ((size_t)n != MESSAGE_HEAD + len || m.next != STEP_COUNT)
		return err_new(EPROTO, "unexpected message");
	memcpy(bytes, m.text, len);
	return NULL;
}

err *walk_send_listener(int sock, int listener_fd)
{
	struct message m = { .next = STEP_SECCOMP };

	return fd_send(sock, &m, MESSAGE_HEAD, &listener_fd, 1);
}

err *walk_wait_exec(struct walk *w, int *ret_listener)
{
	struct message m = { 0 };
	size_t len = 0, count = 0;

	if (w->wait)
		TRY(w->wait(w->sock));
	err *e = fd_recv(w->sock, &m, sizeof m, &len, ret_listener, 1, &count);

	if (e && e->code == ECONNRESET) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (len == 0 || count == 1)
		return NULL;
	if (len < MESSAGE_HEAD || !m.code)
		return err_new(EPROTO, "unexpected message");
	return received_error(&m, len);
}

/* EARLY and CHILD are one process after the other: one owner on the wire. */
static bool is_child(enum step_role role)
{
	return role != STEP_PARENT;
}

bool step_is_wanted(const struct step *row, uint32_t flags)
{
	return !row->when || (row->when & flags);
}

static err *run_row(struct walk *w, const struct step *row)
{
	if (!w->run[row->id])
		return err_new(ENOSYS, "%s: no function for this row", row->name);
	err *e = err_wrap(w->run[row->id](w->data), "%s", row->name);
	/* Nobody may be listening any more; the error is returned as well. */
	if (e)
		IGNORE(walk_send_error(w->sock, e));
	return e;
}

err *walk_steps(struct walk *w, const struct step *table, size_t from)
{
	for (size_t i = from; table[i].name; i++) {
		const struct step *row = &table[i];
		bool mine = is_child(row->role) == is_child(w->role);

		if (!step_is_wanted(row, w->flags))
			continue;
		/* At the beginning the owner of the first row has the turn, without a message. */
		bool change = w->owner != WALK_NOBODY && (bool)w->owner != is_child(row->role);
		w->owner = is_child(row->role) ? WALK_CHILD : WALK_PARENT;
		if (w->print)
			w->print(row);
		if (change && mine)
			TRY(walk_take_turn(w, row->name, i));
		if (change && !mine)
			TRY(err_wrap(walk_give_turn(w->sock, i), "%s", row->name));
		if (mine)
			TRY(run_row(w, row));
	}
	return NULL;
}

/* ---- the plan on the wire ---- */

#define PIECE (64 * 1024)

/* The first message: all of most plans. */
struct plan_head {
	uint32_t magic, size, fd_count;
	char bytes[12 * 1024];
};
#define HEAD_SIZE offsetof(struct plan_head, bytes)

err *walk_send_plan(int sock, const void *plan, size_t len, const int *fds, size_t fd_count)
{
	struct plan_head head = { .magic = PLAN_MAGIC,
				  .size = (uint32_t)len,
				  .fd_count = (uint32_t)fd_count };
	size_t first = MIN(len, sizeof head.bytes), first_fds = MIN((size_t)FD_PASS_MAX, fd_count);

	memcpy(head.bytes, plan, first);
	TRY(fd_send(sock, &head, HEAD_SIZE + first, fds, first_fds));
	for (size_t at = first; at < len; at += PIECE)
		TRY(fd_send(sock, (const char *)plan + at, MIN((size_t)PIECE, len - at), NULL, 0));
	for (size_t at = first_fds; at < fd_count; at += FD_PASS_MAX)
		TRY(fd_send(sock, "f", 1, fds + at, MIN((size_t)FD_PASS_MAX, fd_count - at)));
	return NULL;
}

static err *receive_head(int sock, struct plan_head *head, int fds[static FD_PASS_MAX], size_t *ret_fds)
{
	size_t len = 0;

	TRY(fd_recv(sock, head, sizeof *head, &len, fds, FD_PASS_MAX, ret_fds));
	if (len == 0)
		return err_new(EPIPE, "the runtime ended before it sent the plan");
	if (len < HEAD_SIZE || head->magic != PLAN_MAGIC || head->size > PLAN_SIZE_MAX ||
	    head->fd_count > PLAN_FDS_MAX || *ret_fds != MIN((size_t)FD_PASS_MAX, head->fd_count) ||
	    len != HEAD_SIZE + MIN(sizeof head->bytes, (size_t)head->size))
		return err_new(EPROTO, "not the beginning of a plan");
	return NULL;
}

static err *receive_fds(int sock, int *fds, size_t at, size_t count)
{
	while (at < count) {
		char byte;
		size_t len, got = 0;

		TRY(fd_recv(sock, &byte, 1, &len, fds + at, MIN((size_t)FD_PASS_MAX, count - at),
			    &got));
		if (got == 0)
			return err_new(EPROTO, "%zu descriptors of the plan are missing", count - at);
		at += got;
	}
	return NULL;
}

err *walk_receive_plan(int sock, struct plan **ret_plan, int **ret_fds, size_t *ret_count)
{
	static struct plan_head head; /* a page or three that a process needs once */
	int first_fds[FD_PASS_MAX];
	size_t fd_count = 0;

	TRY(receive_head(sock, &head, first_fds, &fd_count));
	auto_free char *bytes = malloc(head.size ? head.size : 1);
	auto_free int *fds = calloc(head.fd_count ? head.fd_count : 1, sizeof *fds);
	if (!bytes || !fds)
		return err_oom();
	memcpy(bytes, head.bytes, MIN(sizeof head.bytes, (size_t)head.size));
	memcpy(fds, first_fds, fd_count * sizeof *fds);
	for (size_t at = MIN(sizeof head.bytes, (size_t)head.size); at < head.size;) {
		size_t len = 0, no_fds;
		int none[1];

		TRY(fd_recv(sock, bytes + at, head.size - at, &len, none, 0, &no_fds));
		if (len == 0)
			return err_new(EPIPE, "the plan ends early");
		at += len;
	}
	TRY(receive_fds(sock, fds, fd_count, head.fd_count));
	TRY(plan_check(bytes, head.size, head.fd_count));
	*ret_plan = (struct plan *)TAKE(bytes);
	*ret_fds = TAKE(fds);
	*ret_count = head.fd_count;
	return NULL;
}
