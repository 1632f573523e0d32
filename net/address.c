/* net/address.c: which networks an address belongs to, from one table. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

/* clang-format off */
static const struct {
	uint32_t network;
	unsigned bits;
	enum reach reach;
} networks4[] = {
	/* RFC 6890 and its registry; the first match counts, the rest is public */
	{ 0x00000000,  8, REACH_LOOPBACK },   /* 0/8: Linux takes 0.0.0.0 for this host */
	{ 0x7f000000,  8, REACH_LOOPBACK },
	{ 0x0a000000,  8, REACH_PRIVATE },
	{ 0xac100000, 12, REACH_PRIVATE },
	{ 0xc0a80000, 16, REACH_PRIVATE },
	{ 0x64400000, 10, REACH_PRIVATE },    /* carrier-grade NAT; also where some clouds hide metadata */
	{ 0xc6120000, 15, REACH_PRIVATE },    /* benchmarking */
	{ 0xc0000000, 24, REACH_PRIVATE },    /* protocol assignments */
	{ 0xa9fe0000, 16, REACH_LINK_LOCAL },
	{ 0xe0000000,  3, REACH_NOWHERE },    /* multicast, reserved, broadcast */
};
/* clang-format on */

static enum reach reach4(uint32_t address)
{
	for (size_t i = 0; i < ARRAY_LEN(networks4); i++)
		if ((address ^ networks4[i].network) >> (32 - networks4[i].bits) == 0)
			return networks4[i].reach;
	return REACH_PUBLIC;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum reach reach6(const uint8_t a[static 16])
{
	static const uint8_t zero[16], nat64[12] = { 0, 0x64, 0xff, 0x9b };
	if (!memcmp(a, zero, 10) && a[10] == 0xff && a[11] == 0xff)
		return reach4(be32(a + 12)); /* mapped */
	if (!memcmp(a, zero, 15) && a[15] <= 1)
		return REACH_LOOPBACK; /* :: and ::1 */
	if (!memcmp(a, zero, 12) || !memcmp(a, nat64, 12))
		return reach4(be32(a + 12));
	if (a[0] == 0x20 && a[1] == 0x02)
		return reach4(be32(a + 2)); /* 6to4 */
	if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)
		return REACH_LINK_LOCAL;
	if ((a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0xc0))
		return REACH_PRIVATE; /* unique local, and the old site-local */
	if (a[0] == 0xff)
		return REACH_NOWHERE;
	return REACH_PUBLIC;
}

enum reach address_reach(const struct sockaddr *address)
{
	switch (address->sa_family) {
	case AF_INET:
		return reach4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
	case AF_INET6:
		return reach6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
	}
	return REACH_NOWHERE;
}

enum reach host_reach(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return reach4(ntohl(v4.s_addr));
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return reach6(v6.s6_addr);
	size_t len = strlen(host);
	if (len && host[len - 1] == '.')
		len--;
	/* RFC 6761: localhost and every name below it. */
	static const char name[] = "localhost";
	size_t n = sizeof(name) - 1;
	if (len >= n && !strncasecmp(host + len - n, name, n) && (len == n || host[len - n - 1] == '.'))
		return REACH_LOOPBACK;
	return REACH_UNKNOWN;
}

bool reach_allows(enum reach from, enum reach to)
{
	if (to == REACH_PUBLIC || to == REACH_UNKNOWN)
		return true;
	if (to == REACH_NOWHERE)
		return false;
	return to == from || (from == REACH_LOOPBACK && to == REACH_PRIVATE);
}

const char *reach_name(enum reach r)
{
	static const char *const names[] = { "unknown", "public", "private", "loopback", "link-local", "reserved" };
	return names[r];
}
