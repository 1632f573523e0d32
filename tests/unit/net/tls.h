/* tests/unit/net/tls.h: an authority, and openssl(1) as a TLS client behind a socket. */
#pragma once
#include <sys/wait.h>

#include "base/file.h"
#include "net/pki.h"
#include "tests/unit/net/server.h"

#define DAY ((int64_t)(86400 * NSEC_PER_SEC))

static struct {
	struct arena *arena;
	struct pki_pair ca, other_ca, server, other_server;
	int dir;
} tls;

static UNUSED void tls_put(const char *name, const char *text)
{
	assert_ok(file_replace_volatile(tls.dir, name, text, strlen(text), 0600));
}

static UNUSED void tls_issue(const struct pki_pair *ca, const char *name, const char *const *groups,
			     bool server, struct pki_pair *ret)
{
	static const char *const addresses[] = { "127.0.0.1", "localhost", NULL };
	const struct pki_request q = {
		.name = name,
		.groups = groups,
		.addresses = server ? addresses : NULL,
		.server = server,
		.client = !server,
		.lifetime = DAY,
	};

	assert_ok(pki_issue(tls.arena, ca, &q, ret));
}

static UNUSED int tls_make(void **state)
{
	at_make(state);
	assert_ok(arena_new(16 << 20, &tls.arena));
	assert_ok(pki_authority(tls.arena, "one", DAY, &tls.ca));
	assert_ok(pki_authority(tls.arena, "two", DAY, &tls.other_ca));
	tls_issue(&tls.ca, "server", NULL, true, &tls.server);
	tls_issue(&tls.other_ca, "server", NULL, true, &tls.other_server);
	tls.dir = open(at.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tls_put("ca", tls.ca.cert);
	tls_put("other_ca", tls.other_ca.cert);
	return 0;
}

static UNUSED int tls_unmake(void **state)
{
	static const char *const names[] = { "ca", "other_ca", "cert", "key", "csr", "ext" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(tls.dir, names[i], 0);
	close(tls.dir);
	arena_free(tls.arena);
	return at_unmake(state);
}

static UNUSED struct server_options tls_options(server_handler *handler)
{
	return (struct server_options){ .listen_fd = -1,
					.handler = handler,
					.cert = tls.server.cert,
					.key = tls.server.key,
					.client_ca = tls.ca.cert };
}

struct tls_client {
	int fd;
	pid_t pid;
};

/* In the folder of the test; stdin and stdout are a socket. */
static UNUSED struct tls_client tls_spawn(char *const *argv)
{
	const struct timeval limit = { .tv_sec = 10 };
	struct tls_client c;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	c.pid = fork();
	if (!c.pid) {
		int null = open("/dev/null", O_WRONLY);
		if (fchdir(tls.dir) == 0 && dup2(fds[1], 0) == 0 && dup2(fds[1], 1) == 1 &&
		    dup2(null, 2) == 2)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	c.fd = fds[0];
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return c;
}

/* The client's status, when the server or we have ended it. */
static UNUSED int tls_close(struct tls_client *c)
{
	int status;

	close(c->fd);
	kill(c->pid, SIGTERM);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static UNUSED int tls_run(char *const *argv)
{
	struct tls_client c = tls_spawn(argv);
	int status;

	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	close(c.fd);
	return status;
}

/* ca: the file that the server is verified with. who: NULL for nobody. */
static UNUSED struct tls_client tls_connect(const char *ca, const struct pki_pair *who, const char *option)
{
	static char address[32], ca_file[32], extra[3][64];
	static char openssl[] = "openssl", s_client[] = "s_client", quiet[] = "-quiet",
		    strict[] = "-verify_return_error";
	static char ca_opt[] = "-CAfile", to[] = "-connect", cert_opt[] = "-cert", key_opt[] = "-key",
		    cert[] = "cert", key[] = "key";
	char *argv[16] = { openssl, s_client, quiet, strict, ca_opt, ca_file, to, address };
	size_t n = 8;

	snprintf(address, sizeof(address), "127.0.0.1:%u", at.port);
	snprintf(ca_file, sizeof(ca_file), "%s", ca);
	if (who) {
		tls_put("cert", who->cert);
		tls_put("key", who->key);
		argv[n++] = cert_opt;
		argv[n++] = cert;
		argv[n++] = key_opt;
		argv[n++] = key;
	}
	/* One to three words. */
	int words = option ? sscanf(option, "%63s %63s %63s", extra[0], extra[1], extra[2]) : 0;
	for (int i = 0; i < words; i++)
		argv[n++] = extra[i];
	return tls_spawn(argv);
}

static UNUSED void tls_request(const struct pki_pair *who, const char *request, struct str *out)
{
	struct tls_client c = tls_connect("ca", who, NULL);

	str_clear(out);
	raw_send(c.fd, request);
	raw_all(c.fd, out);
	tls_close(&c);
}
