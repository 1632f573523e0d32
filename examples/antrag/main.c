/* examples/antrag/main.c: antrag: applications and how far they are. */
#include <sys/stat.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/log.h"
#include "examples/antrag/service.h"
#include "examples/fetch.h"

struct args {
	const char *listen, *database, *keys, *log_format;
};
#define OPT_STRUCT struct args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0, "listen",     CLI_STRING, listen,     "ADDRESS:PORT", "where to serve"),
	OPT(0, "database",   CLI_STRING, database,   "FILE",         "where applications are kept"),
	OPT(0, "keys",       CLI_STRING, keys,       "URL|FILE",     "bayernid's public keys, a JSON Web Key Set; several URLs, divided by commas: the first that can be reached"),
	OPT(0, "log-format", CLI_CHOICE, log_format, "text|json",    "how the log is written to standard error"),
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	*(struct args *)args = (struct args){
		.listen = "127.0.0.1:8082",
		.database = "/var/lib/antrag/antrag.db",
		.keys = "http://127.0.0.1:8081/.well-known/jwks.json",
		.log_format = "text",
	};
}

static err *run(const struct cli_context *c, int *ret_status UNUSED)
{
	const struct args *args = c->args;
	auto_store struct store *store = NULL;
	auto_keysource struct keysource *keys = NULL;
	auto_rate struct rate *writes = rate_new(20, 30 * (int64_t)NSEC_PER_SEC);
	struct antrag service = { .writes = writes };
	struct http_server server = {
		.name = "antrag",
		.routes = antrag_routes,
		.service = &service,
		.listen = args->listen,
		.body_max = 32 * 1024,
		.threads = 4,
		.requests_per_second = 1000, /* all come from the portal's address */
	};

	if (!writes)
		return err_oom();
	TRY(log_open(NULL, str_equal(args->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
		     LOG_LEVEL_INFO));
	umask(077); /* the database is nobody else's to read */
	TRY(fetch_setup());
	TRY(store_open(args->database, &store));
	TRY(keysource_new(args->keys, &keys));
	service.store = store;
	service.keys = keys;
	return http_serve(&server);
}

int main(int argc, char **argv)
{
	static const struct cli_command command = {
		.name = "antrag",
		.operands = "",
		.summary = "Take applications and tell how far they are",
		.example = "antrag --database antrag.db --keys http://127.0.0.1:8081/.well-known/jwks.json",
		.options = options,
		.args_size = sizeof(struct args),
		.defaults = defaults,
		.run = run,
	};
	static const struct cli_program program = { .name = "antrag",
						    .summary = "Take applications and tell how far they are",
						    .main = &command };

	return cli_main(&program, argc, argv);
}
