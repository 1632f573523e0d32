/* net/http-identity.c: whom a client trusts, who it is, and by what socket it goes. */
#include "net/http-internal.h"

err *http_identify(const struct http_client *c, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca) {
		struct curl_blob ca = { (void *)c->ca, strlen(c->ca), CURL_BLOB_NOCOPY };
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* nor the system's */
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca))
			return err_new(EKEYREJECTED, "the trusted certificate is not usable");
	}
	if (c->cert) {
		struct curl_blob cert = { (void *)c->cert, strlen(c->cert), CURL_BLOB_NOCOPY };
		struct curl_blob key = { (void *)c->key, strlen(c->key), CURL_BLOB_NOCOPY };
		if (curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert) ||
		    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key))
			return err_new(EKEYREJECTED, "the client certificate is not usable");
	}
	if (c->unix_socket && curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, c->unix_socket))
		return err_new(EINVAL, "'%s' is not the path of a socket", c->unix_socket);
	return NULL;
}
