/* net/proxy.c: which proxy the environment wants for an origin, decided here so that the address check
 * knows whether it sees the server or the proxy. Ref: curl(1), "ENVIRONMENT". */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http-internal.h"

static const char *first_set(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);
		if (value && *value)
			return value;
	}
	return NULL;
}

/* Whether `host` lies in "address/bits". */
static bool in_network(const char *host, const char *address, uint64_t bits)
{
	uint8_t a[16], b[16];
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, host, a) != 1 || inet_pton(family, address, b) != 1)
		return false;
	if (bits > (family == AF_INET ? 32 : 128))
		return false;
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

/* One word of no_proxy: a name (with everything below it), an address, a network. */
static bool word_matches(const char *word, size_t len, const char *host)
{
	char text[256];
	while (len && word[0] == '.')
		word++, len--;
	while (len && word[len - 1] == '.')
		len--;
	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = 0;
	char *slash = strchr(text, '/');
	if (slash) {
		uint64_t bits;
		*slash = 0;
		return str_to_u64(slash + 1, &bits) && in_network(host, text, bits);
	}
	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = 0;
		return !strcasecmp(text + 1, host);
	}
	size_t host_len = strlen(host);
	if (host_len < len || strcasecmp(host + host_len - len, text) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

static bool is_exempt(const char *host)
{
	static const char *const names[] = { "no_proxy", "NO_PROXY", NULL };
	const char *list = first_set(names);
	if (!list)
		return false;
	if (str_equal(list, "*"))
		return true;
	while (*list) {
		list += strspn(list, ", ");
		size_t len = strcspn(list, ", ");
		if (word_matches(list, len, host))
			return true;
		list += len;
	}
	return false;
}

void proxy_for(const struct origin *origin, struct str *out)
{
	/* HTTP_PROXY in capitals is not read: a CGI program would get it from its client. */
	static const char *const tls[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
	static const char *const plain[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
	const char *proxy = first_set(origin->tls ? tls : plain);
	if (proxy && !is_exempt(origin->host))
		str_add(out, proxy);
}
