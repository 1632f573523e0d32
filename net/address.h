/* net/address.h: how far an IP address reaches: the internet, a private network, this machine. */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

enum reach {
	REACH_UNKNOWN,    /* a name that is not resolved here (a proxy does it) */
	REACH_PUBLIC,
	REACH_PRIVATE,    /* RFC 1918, RFC 4193, RFC 6598 */
	REACH_LOOPBACK,   /* 127/8, ::1, and "any", which Linux takes for this host */
	REACH_LINK_LOCAL, /* 169.254/16 (metadata services of clouds), fe80::/10 */
	REACH_NOWHERE,    /* multicast, broadcast, reserved, not IP */
};

/* IPv4 inside IPv6 (mapped, NAT64, 6to4) counts as the IPv4 address. */
enum reach address_reach(const struct sockaddr *address);

/* The same for a host as a URL has it; REACH_UNKNOWN for a name other than localhost. */
enum reach host_reach(const char *host);

/* Whether a server that reaches as far as `from` may send this client to `to`: everything may lead to
 * the public internet, otherwise only to its like; loopback may also lead to private. */
bool reach_allows(enum reach from, enum reach to);

const char *reach_name(enum reach r); /* "link-local" */
