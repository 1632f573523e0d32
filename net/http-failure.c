/* net/http-failure.c: why libcurl ended a transfer, in our words. */
#include "net/http-internal.h"

/* clang-format off */
static const struct {
	CURLcode code;
	int error;
	const char *text;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST,     EHOSTUNREACH, "no address is known for the host" },
	{ CURLE_COULDNT_RESOLVE_PROXY,    EHOSTUNREACH, "no address is known for the proxy" },
	{ CURLE_COULDNT_CONNECT,          ECONNREFUSED, "cannot connect" },
	{ CURLE_OPERATION_TIMEDOUT,       ETIMEDOUT,    "no connection in the time allowed" },
	{ CURLE_GOT_NOTHING,              ECONNRESET,   "the connection was closed without an answer" },
	{ CURLE_PARTIAL_FILE,             ECONNRESET,   "the connection was closed in the middle of the answer" },
	{ CURLE_SEND_ERROR,               ECONNRESET,   "the connection broke while sending" },
	{ CURLE_RECV_ERROR,               ECONNRESET,   "the connection broke while receiving" },
	{ CURLE_SEND_FAIL_REWIND,         ECONNRESET,   "the connection broke while sending" },
	{ CURLE_PEER_FAILED_VERIFICATION, EKEYREJECTED, "the server's certificate is not trusted" },
	{ CURLE_SSL_CACERT_BADFILE,       EKEYREJECTED, "the trusted certificates cannot be read" },
	{ CURLE_SSL_CERTPROBLEM,          EKEYREJECTED, "the client certificate cannot be used" },
	{ CURLE_SSL_CONNECT_ERROR,        EPROTO,       "the TLS handshake failed" },
	{ CURLE_OUT_OF_MEMORY,            ENOMEM,       "out of memory" },
};
/* clang-format on */

err *http_transfer_error(CURL *easy, CURLcode code, const char *message)
{
	int error = EPROTO;
	const char *text = "not an answer of the HTTP protocol";
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].code == code) {
			error = failures[i].error;
			text = failures[i].text;
		}
	long os_error = 0;
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error > 0)
		return err_code((int)os_error, "%s", text);
	if (strstr(message, "alert") &&
	    (strstr(message, "certificate") ||
	     strstr(message, "unknown ca"))) { /* TLS 1.3 says so after the handshake */
		error = EKEYREJECTED;
		text = "the server wants another client certificate, or one at all";
	}
	return err_wrap(err_new(error, "%s", *message ? message : curl_easy_strerror(code)), "%s", text);
}
