/* runtime/rtnetlink.c: requests to the kernel about network devices and their addresses. */
#include "runtime/rtnetlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

enum { ADDRESSES_MAX = 1024, REPLY_MAX = 64 * 1024 };

/* One request: header, body and attributes grow in place. */
struct request {
	union {
		struct nlmsghdr head;
		char bytes[1024];
	};
};

#define REQUEST(kind, body, extra)                               \
	{                                                        \
		.head = {                                        \
			.nlmsg_len = NLMSG_LENGTH(sizeof(body)), \
			.nlmsg_type = (kind),                    \
			.nlmsg_flags = NLM_F_REQUEST | (extra),  \
			.nlmsg_seq = 1                           \
		}                                                \
	}

static err *add_bytes(struct request *r, const void *bytes, size_t len)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);

	if (at + len > sizeof r->bytes)
		return err_new(E2BIG, "request for the kernel is too long");
	memcpy(r->bytes + at, bytes, len);
	r->head.nlmsg_len = (uint32_t)(at + len);
	return NULL;
}

static err *add_attribute(struct request *r, unsigned short type, const void *value, size_t len)
{
	struct rtattr head = { .rta_len = (unsigned short)RTA_LENGTH(len), .rta_type = type };

	TRY(add_bytes(r, &head, sizeof head));
	return add_bytes(r, value, len);
}

err *rtnetlink_open(int *ret_fd)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) < 0)
		return err_errno("open routing socket");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *ask(int sock, const struct request *r)
{
	ssize_t n;

	do
		n = send(sock, r->bytes, r->head.nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_errno("ask the kernel") : NULL;
}

/* One datagram of the answer; only the kernel (port 0) is listened to. */
static err *hear(int sock, char *reply, size_t *ret_len)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof from;
		ssize_t n = recvfrom(sock, reply, REPLY_MAX, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("hear the kernel's answer");
		if (n > REPLY_MAX)
			return err_new(EMSGSIZE, "the kernel's answer has %zd bytes", n);
		if (from.nl_pid != 0)
			continue;
		*ret_len = (size_t)n;
		return NULL;
	}
}

/* What an NLMSG_ERROR says; 0 is success. */
static int answered(const struct nlmsghdr *m)
{
	int code;

	if (m->nlmsg_len < NLMSG_LENGTH(sizeof code))
		return EPROTO;
	memcpy(&code, NLMSG_DATA(m), sizeof code);
	return -code;
}

/* Ask, and hand each message of the answer to `take` until the kernel has said how it ended. */
static err *converse(int sock, const struct request *r, err *(*take)(const struct nlmsghdr *m, void *data),
		     void *data)
{
	auto_free char *reply = malloc(REPLY_MAX);

	if (!reply)
		return err_oom();
	TRY(ask(sock, r));
	for (;;) {
		size_t len = 0;

		TRY(hear(sock, reply, &len));
		for (const struct nlmsghdr *m = (const void *)reply; NLMSG_OK(m, len);
		     m = NLMSG_NEXT(m, len)) {
			if (m->nlmsg_type == NLMSG_DONE)
				return NULL;
			if (m->nlmsg_type == NLMSG_ERROR) {
				int code = answered(m);
				return code ? err_code(code, "the kernel refuses") : NULL;
			}
			if (take)
				TRY(take(m, data));
			if (!(r->head.nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK)))
				return NULL;
		}
	}
}

/* ---- devices ---- */

static err *take_link(const struct nlmsghdr *m, void *data)
{
	struct ifinfomsg *link = data;

	if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof *link))
		return err_new(EPROTO, "unexpected answer");
	memcpy(link, NLMSG_DATA(m), sizeof *link);
	return NULL;
}

err *rtnetlink_find(int sock, const char *name, int *ret_index, unsigned *ret_flags)
{
	struct request r = REQUEST(RTM_GETLINK, struct ifinfomsg, 0);
	struct ifinfomsg link = { 0 };

	TRY(add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1));
	TRY(converse(sock, &r, take_link, &link));
	*ret_index = link.ifi_index;
	*ret_flags = link.ifi_flags;
	return NULL;
}

err *rtnetlink_move(int sock, int index, int ns_fd, const char *name)
{
	struct request r = REQUEST(RTM_NEWLINK, struct ifinfomsg, NLM_F_ACK);
	struct ifinfomsg *link = NLMSG_DATA(&r.head);
	uint32_t ns = (uint32_t)ns_fd;

	link->ifi_index = index;
	TRY(add_attribute(&r, IFLA_NET_NS_FD, &ns, sizeof ns));
	TRY(add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1));
	return converse(sock, &r, NULL, NULL);
}

err *rtnetlink_set_up(int sock, int index)
{
	struct request r = REQUEST(RTM_NEWLINK, struct ifinfomsg, NLM_F_ACK);
	struct ifinfomsg *link = NLMSG_DATA(&r.head);

	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	return converse(sock, &r, NULL, NULL);
}

/* ---- addresses ---- */

struct collect {
	struct arena *arena;
	struct net_addresses *out;
	int index;
};

/* What a new address is described by; the label is left out: it holds the device's old name. */
static bool is_kept(unsigned short type)
{
	return type == IFA_ADDRESS || type == IFA_LOCAL || type == IFA_BROADCAST || type == IFA_RT_PRIORITY;
}

/* States like "tentative" or "duplicate" are the kernel's own and are found out anew. */
#define FLAGS_OF_USERS \
	(IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_HOMEADDRESS | IFA_F_MCAUTOJOIN | IFA_F_NODAD)

static err *keep_attributes(struct collect *c, const struct nlmsghdr *m, struct net_address *a)
{
	size_t len = m->nlmsg_len - NLMSG_LENGTH(sizeof a->head);

	a->flags = a->head.ifa_flags;
	TRY_ALLOC(c->arena, a->attributes, arena_alloc(c->arena, len ? len : 1));
	for (const struct rtattr *t = IFA_RTA(NLMSG_DATA(m)); RTA_OK(t, len); t = RTA_NEXT(t, len)) {
		if (t->rta_type == IFA_FLAGS && RTA_PAYLOAD(t) == sizeof a->flags)
			memcpy(&a->flags, RTA_DATA(t), sizeof a->flags);
		if (!is_kept(t->rta_type))
			continue;
		memcpy(a->attributes + a->len, t, t->rta_len);
		a->len += RTA_ALIGN(t->rta_len);
	}
	return NULL;
}

static err *take_address(const struct nlmsghdr *m, void *data)
{
	struct collect *c = data;
	struct net_address a = { 0 };

	if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof a.head))
		return err_new(EPROTO, "unexpected answer");
	memcpy(&a.head, NLMSG_DATA(m), sizeof a.head);
	if ((int)a.head.ifa_index != c->index || a.head.ifa_scope != RT_SCOPE_UNIVERSE)
		return NULL;
	TRY(keep_attributes(c, m, &a));
	if (!(a.flags & IFA_F_PERMANENT))
		return NULL;
	a.flags &= FLAGS_OF_USERS;
	if (c->out->count == ADDRESSES_MAX)
		return err_new(E2BIG, "more than %d addresses", ADDRESSES_MAX);
	c->out->items[c->out->count++] = a;
	return NULL;
}

err *rtnetlink_addresses(int sock, int index, struct arena *arena, struct net_addresses *ret)
{
	struct request r = REQUEST(RTM_GETADDR, struct ifaddrmsg, NLM_F_DUMP);
	struct collect c = { arena, ret, index };

	*ret = (struct net_addresses){ 0 };
	TRY_ALLOC(arena, ret->items, arena_array(arena, ADDRESSES_MAX, sizeof *ret->items));
	return converse(sock, &r, take_address, &c);
}

err *rtnetlink_add_address(int sock, int index, const struct net_address *address)
{
	struct request r = REQUEST(RTM_NEWADDR, struct ifaddrmsg, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *head = NLMSG_DATA(&r.head);

	*head = address->head;
	head->ifa_index = (unsigned)index;
	head->ifa_flags = 0; /* eight bits of the same in IFA_FLAGS */
	TRY(add_bytes(&r, address->attributes, address->len));
	TRY(add_attribute(&r, IFA_FLAGS, &address->flags, sizeof address->flags));
	return converse(sock, &r, NULL, NULL);
}
