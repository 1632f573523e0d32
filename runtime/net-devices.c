/* runtime/net-devices.c: moving network devices of the host into the container, and back. */
#include "runtime/net-devices.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/rtnetlink.h"

enum { NUMBERS_MAX = 4096 };

void net_devices_done(struct net_devices *d)
{
	fd_clear(&d->host);
	fd_clear(&d->inside);
	fd_clear(&d->host_ns);
}

/* ---- one device, from one namespace to another ---- */

struct side {
	int sock, ns;
};

/* A namespace switch closes the device and drops its addresses; MTU, hardware address and queues stay. */
static err *settle(int sock, int index, const struct net_addresses *addresses, bool up)
{
	for (size_t i = 0; i < addresses->count; i++)
		TRY(err_wrap(rtnetlink_add_address(sock, index, &addresses->items[i]),
			     "give address %zu again", i));
	return up ? err_wrap(rtnetlink_set_up(sock, index), "set up") : NULL;
}

static err *carry(struct arena *arena, const struct side *from, const char *name, const struct side *to,
		  const char *new_name, bool always_up)
{
	struct net_addresses addresses;
	int index = 0, new_index = 0;
	unsigned flags = 0, new_flags = 0;

	TRY(err_wrap(rtnetlink_find(from->sock, name, &index, &flags), "find"));
	if (flags & IFF_LOOPBACK)
		return err_new(EINVAL, "is a loopback interface, which never leaves its namespace");
	TRY(err_wrap(rtnetlink_addresses(from->sock, index, arena, &addresses), "read addresses"));
	TRY(err_wrap(rtnetlink_move(from->sock, index, to->ns, new_name), "move"));
	err *e = err_wrap(rtnetlink_find(to->sock, new_name, &new_index, &new_flags), "find it as '%s'",
			  new_name);
	if (!e)
		e = settle(to->sock, new_index, &addresses, always_up || (flags & IFF_UP));
	if (e && new_index && from->ns >= 0)
		IGNORE(rtnetlink_move(to->sock, new_index, from->ns, name));
	return e;
}

/* ---- names inside ---- */

static err *is_free(int sock, const char *name, bool *ret)
{
	unsigned flags;
	int index;
	err *e = rtnetlink_find(sock, name, &index, &flags);

	*ret = e && e->code == ENODEV;
	if (!*ret)
		return e;
	err_free(e);
	return NULL;
}

/* Decided here, not by the kernel: it would move a device and only then find its new name taken. */
static err *name_inside(struct arena *arena, int sock, const struct oci_net_device *d, const char **ret)
{
	const char *wanted = d->target_name && *d->target_name ? d->target_name : d->name;
	const char *number = strstr(wanted, "%d");
	char name[IF_NAMESIZE + 8];
	bool free_name = false;

	for (int i = 0; i < (number ? NUMBERS_MAX : 1) && !free_name; i++) {
		if (number)
			snprintf(name, sizeof name, "%.*s%d%s", (int)(number - wanted), wanted, i,
				 number + 2);
		else
			snprintf(name, sizeof name, "%s", wanted);
		if (strlen(name) >= IF_NAMESIZE)
			break;
		TRY(is_free(sock, name, &free_name));
	}
	if (!free_name)
		return err_new(EEXIST, "the container has a device '%s' already", wanted);
	TRY_ALLOC(arena, *ret, arena_strdup(arena, name));
	return NULL;
}

/* ---- all of them ---- */

/* A socket belongs to the namespace it was made in. The runtime has one thread, so going there is safe;
 * not to come back would not be, and is the end. */
static err *open_inside(int ns, int host_ns, int *ret_sock)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_errno("enter the container's network namespace");
	err *e = rtnetlink_open(ret_sock);
	if (setns(host_ns, CLONE_NEWNET) == 0)
		return e;
	err_free(e);
	e = err_errno("come back from the container's network namespace");
	fd_clear(ret_sock);
	return e;
}

static err *open_both(struct net_devices *d, int proc_fd, pid_t pid, int *ret_ns)
{
	char path[32];

	snprintf(path, sizeof path, "%d/ns/net", pid);
	auto_close int ns = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	d->host_ns = openat(proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || d->host_ns < 0)
		return err_errno("open network namespace");
	TRY(rtnetlink_open(&d->host));
	TRY(open_inside(ns, d->host_ns, &d->inside));
	*ret_ns = TAKE_FD(ns);
	return NULL;
}

static err *move_one(struct arena *arena, struct net_devices *d, size_t i, int ns)
{
	const struct side host = { d->host, d->host_ns }, inside = { d->inside, ns };

	TRY(name_inside(arena, d->inside, &d->devices[i], &d->names[i]));
	return carry(arena, &host, d->devices[i].name, &inside, d->names[i], true);
}

err *net_devices_move(struct arena *arena, const struct oci_config *config, int proc_fd, pid_t pid,
		      struct net_devices *d)
{
	size_t count = config->linux.net_devices.count;
	auto_close int ns = -1;

	d->devices = config->linux.net_devices.items;
	TRY_ALLOC(arena, d->names, arena_array(arena, count, sizeof *d->names));
	TRY(err_wrap(open_both(d, proc_fd, pid, &ns), "linux.netDevices"));
	for (; d->moved < count; d->moved++) {
		err *e = move_one(arena, d, d->moved, ns);
		if (!e)
			continue;
		net_devices_return(d);
		return err_wrap(e, "linux.netDevices.%s", d->devices[d->moved].name);
	}
	return NULL;
}

void net_devices_return(struct net_devices *d)
{
	const struct side host = { d->host, d->host_ns }, inside = { d->inside, -1 };

	for (size_t i = d->moved; i-- > 0 && d->inside >= 0;) {
		auto_arena struct arena *arena = NULL;
		err *e = arena_new(1 << 20, &arena);

		/* Best effort: the error that led here is the one to tell. */
		if (!e)
			e = carry(arena, &inside, d->names[i], &host, d->devices[i].name, false);
		err_free(e);
	}
}
