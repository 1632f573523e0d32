/* examples/bayernid/main.c: bayernid: who somebody is, as a signed token. */
#include <fcntl.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "examples/bayernid/service.h"
#include "examples/password.h"

struct args {
	const char *listen, *users, *data, *key, *log_format;
	int64_t token_time, session_time;
	bool hash_password;
};
#define OPT_STRUCT struct args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0, "listen",        CLI_STRING,  listen,        "ADDRESS:PORT", "where to serve"),
	OPT(0, "users",         CLI_STRING,  users,         "FILE",         "the people it knows, JSON"),
	OPT(0, "data",          CLI_STRING,  data,          "DIR",          "where its key is kept, and made on the first start"),
	OPT(0, "key",           CLI_STRING,  key,           "FILE",         "a key that is given instead (PEM, Ed25519, mode 0600)"),
	OPT(0, "token-time",    CLI_SECONDS, token_time,    "DURATION",     "how long a token holds"),
	OPT(0, "session-time",  CLI_SECONDS, session_time,  "DURATION",     "how long a token may be renewed without the password"),
	OPT(0, "log-format",    CLI_CHOICE,  log_format,    "text|json",    "how the log is written to standard error"),
	OPT(0, "hash-password", CLI_FLAG,    hash_password, NULL,           "read a password from standard input, print its hash, end"),
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	*(struct args *)args = (struct args){
		.listen = "127.0.0.1:8081",
		.users = "/etc/bayernid/users.json",
		.data = "/var/lib/bayernid",
		.log_format = "text",
		.token_time = 15 * 60 * (int64_t)NSEC_PER_SEC,
		.session_time = 8 * 3600 * (int64_t)NSEC_PER_SEC,
	};
}

static err *hash_password(void)
{
	auto_str struct str password = STR_INIT(PASSWORD_MAX + 1);
	auto_str struct str hash = STR_INIT(256);

	TRY(err_wrap(fd_read_all(STDIN_FILENO, &password), "password"));
	password.data[strcspn(password.data, "\n")] = '\0';
	TRY(password_hash(password.data, &hash));
	str_add_char(&hash, '\n');
	return fd_write_all(STDOUT_FILENO, hash.data, hash.len);
}

static err *open_key(const struct args *args, struct signing_key **ret)
{
	bool created = false;

	if (args->key)
		return signing_key_open(AT_FDCWD, args->key, false, NULL, ret);
	auto_close int dir = open(args->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno("data directory '%s'", args->data);
	TRY(err_wrap(signing_key_open(dir, "key.pem", true, &created, ret), "data directory '%s'",
		     args->data));
	if (created)
		log_info("made a key", "id", signing_key_public(*ret)->id, NULL);
	return NULL;
}

static err *serve(const struct args *args)
{
	auto_arena struct arena *arena = NULL;
	auto_signing_key struct signing_key *key = NULL;
	auto_rate struct rate *logins = rate_new(LOGIN_BURST, LOGIN_INTERVAL);
	struct bayernid service = {
		.logins = logins,
		.token_seconds = args->token_time / (int64_t)NSEC_PER_SEC,
		.session_seconds = args->session_time / (int64_t)NSEC_PER_SEC,
	};
	struct http_server server = {
		.name = "bayernid",
		.routes = bayernid_routes,
		.service = &service,
		.listen = args->listen,
		.body_max = 16 * 1024,
		.threads = 4,
		.requests_per_second = 1000, /* all come from the portal's address */
	};

	if (!logins)
		return err_oom();
	TRY(log_open(NULL, str_equal(args->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
		     LOG_LEVEL_INFO));
	TRY(arena_new(16u << 20, &arena));
	TRY(users_load(arena, args->users, &service.users));
	TRY(open_key(args, &key));
	service.key = key;
	service.ring = (struct keyring){ .keys = { *signing_key_public(key) }, .count = 1 };
	return http_serve(&server);
}

static err *run(const struct cli_context *c, int *ret_status UNUSED)
{
	const struct args *args = c->args;

	return args->hash_password ? hash_password() : serve(args);
}

int main(int argc, char **argv)
{
	static const struct cli_command command = {
		.name = "bayernid",
		.operands = "",
		.summary = "Sign people in and documents for them",
		.example = "bayernid --users users.json --data /var/lib/bayernid --listen 127.0.0.1:8081",
		.options = options,
		.args_size = sizeof(struct args),
		.defaults = defaults,
		.run = run,
	};
	static const struct cli_program program = { .name = "bayernid",
						    .summary = "Sign people in and documents for them",
						    .main = &command };

	return cli_main(&program, argc, argv);
}
