/* cmd/stube/login.c: stube login, stube logout. */
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube/remote.h"
#include "registry/auth.h"
#include "registry/reference.h"

struct login_args {
	const char *username;
	bool password_stdin;
	const char *auth_file;
	struct strv insecure;
	struct strv certs_dirs;
};

#define OPT_STRUCT struct login_args
/* clang-format off */
static const struct cli_option login_options[] = {
	OPT('u', "username",       CLI_STRING, username,       "NAME",        "user name; asked for when missing"),
	OPT(0,   "password-stdin", CLI_FLAG,   password_stdin, NULL,          "read the password from standard input"),
	OPT(0,   "auth-file",      CLI_STRING, auth_file,      "FILE",        "keep the login here instead of the user's auth.json"),
	OPT(0,   "insecure",       CLI_LIST,   insecure,       "HOST[:PORT]", "allow plain http, or an unknown certificate, for this registry"),
	OPT(0,   "certs-dir",      CLI_LIST,   certs_dirs,     "DIR",         "look for HOST:PORT/ca.crt, client.cert, client.key here"),
	{0}
};
static const struct cli_option logout_options[] = {
	OPT(0,   "auth-file",      CLI_STRING, auth_file,      "FILE",        "the file that keeps the login"),
	{0}
};
/* clang-format on */

/* One line, without its end. */
static err *read_line(int fd, struct str *out)
{
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read");
		if (n == 0 || c == '\n')
			break;
		str_add_char(out, c);
		TRY(str_check(out)); /* what has no end is no password */
	}
	if (out->len > 0 && out->data[out->len - 1] == '\r')
		out->data[--out->len] = '\0';
	return str_check(out);
}

/* Ask on the terminal itself, so that the standard streams may go elsewhere; a password is not shown. */
static err *ask(const char *question, bool hidden, struct str *out)
{
	auto_close int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;

	if (fd < 0)
		return err_hint(err_new(EINVAL, "no terminal to ask for the %s", question),
				"Use --username and --password-stdin.");
	TRY(fd_write_all(fd, question, strlen(question)));
	TRY(fd_write_all(fd, ": ", 2));
	if (!hidden)
		return read_line(fd, out);
	if (tcgetattr(fd, &before) < 0)
		return err_errno("terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return err_errno("terminal");
	err *e = read_line(fd, out);
	tcsetattr(fd, TCSAFLUSH, &before);
	if (e)
		return e;
	return fd_write_all(fd, "\n", 1);
}

static err *check(const struct login_args *args, const char *host, const char *username, const char *password)
{
	const struct registry_options options = {
		.username = username,
		.password = password,
		.insecure = (const char *const *)args->insecure.items,
		.certs_dirs = (const char *const *)args->certs_dirs.items,
	};
	auto_registry struct registry *registry = NULL;

	TRY(registry_new(&options, &registry));
	return registry_check_login(registry, host);
}

static err *login(const struct login_args *args, const char *host, struct str *username, struct str *password)
{
	auto_free char *where = NULL;
	auto_str struct str out = STR_INIT(8192);

	if (!reference_is_host(host))
		return err_new(EINVAL, "'%s' is no registry's HOST[:PORT]", host);
	if (args->username)
		str_add(username, args->username);
	else
		TRY(ask("Username", false, username));
	TRY(args->password_stdin ? err_wrap(read_line(STDIN_FILENO, password), "standard input")
				 : ask("Password", true, password));
	if (username->len == 0 || password->len == 0)
		return err_new(EINVAL, "user name and password must not be empty");
	TRY(err_wrap(check(args, host, username->data, password->data), "login to '%s'", host));
	TRY(auth_store(args->auth_file, host, username->data, password->data, &where));
	str_addf(&out, "logged in to %s as %s, kept in %s\n", host, username->data, where);
	return print_out(&out);
}

static err *login_run(const struct cli_context *c, int *ret_status)
{
	struct str username = STR_INIT(AUTH_SECRET_MAX);
	struct str password = STR_INIT(AUTH_SECRET_MAX);
	err *e;

	(void)ret_status;
	/* Room from the start: a password that grows would leave its beginning behind in freed memory. */
	(void)!str_room(&password, 4096);
	e = login(c->args, c->operands[0], &username, &password);
	explicit_bzero(password.data, password.len);
	str_done(&password);
	str_done(&username);
	return e;
}

static err *logout_run(const struct cli_context *c, int *ret_status)
{
	const struct login_args *args = c->args;
	auto_free char *where = NULL;
	auto_str struct str out = STR_INIT(8192);

	(void)ret_status;
	TRY(err_wrap(auth_erase(args->auth_file, c->operands[0], &where), "logout from '%s'",
		     c->operands[0]));
	str_addf(&out, "logged out from %s, removed from %s\n", c->operands[0], where);
	return print_out(&out);
}

const struct cli_command cmd_login = {
	.name = "login",
	.operands = "HOST[:PORT]",
	.summary = "Check credentials for a registry and keep them",
	.example = "stube login --username amt --password-stdin registry.example.org < password",
	.options = login_options,
	.args_size = sizeof(struct login_args),
	.min = 1,
	.max = 1,
	.run = login_run,
};

const struct cli_command cmd_logout = {
	.name = "logout",
	.operands = "HOST[:PORT]",
	.summary = "Forget the credentials for a registry",
	.example = "stube logout registry.example.org",
	.options = logout_options,
	.args_size = sizeof(struct login_args),
	.min = 1,
	.max = 1,
	.run = logout_run,
};
