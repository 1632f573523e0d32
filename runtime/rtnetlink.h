/* runtime/rtnetlink.h: the few requests of rtnetlink(7) that moving a network device takes. */
#pragma once
#include <linux/if_addr.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

/* An address as the kernel told it, to be given to the device again. */
struct net_address {
	struct ifaddrmsg head;
	uint32_t flags;	  /* IFA_F_* that a user may set */
	size_t len;	  /* of `attributes` */
	char *attributes; /* encoded: address, local address, broadcast, priority of its route */
};
struct net_addresses {
	struct net_address *items; /* in the arena */
	size_t count;
};

/* A socket for requests about the network namespace that the caller is in now. */
err *rtnetlink_open(int *ret_fd) MUST_CHECK;

/* Index and flags (IFF_*) of the device with that name; ENODEV. */
err *rtnetlink_find(int sock, const char *name, int *ret_index, unsigned *ret_flags) MUST_CHECK;

/* Its permanent addresses of global scope, of every family; E2BIG beyond 1024. */
err *rtnetlink_addresses(int sock, int index, struct arena *arena, struct net_addresses *ret) MUST_CHECK;

/* Move it into the namespace `ns_fd`, where it gets `name`. */
err *rtnetlink_move(int sock, int index, int ns_fd, const char *name) MUST_CHECK;

err *rtnetlink_add_address(int sock, int index, const struct net_address *address) MUST_CHECK;
err *rtnetlink_set_up(int sock, int index) MUST_CHECK;
