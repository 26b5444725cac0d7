<?php
// What Laravel 12 does with a request of a signed URL (UrlGenerator::hasValidSignature), with PHP's own parser of queries.
// Usage: php laravel.php sign|verify URL KEY NOW absolute|relative
[, $operation, $url, $key, $now, $form] = $argv;

[$before, $query] = [strtok($url, '?'), (string) parse_url($url, PHP_URL_QUERY)];
// Illuminate\Http\Request::url() and path().
$base = $form === 'absolute' ? rtrim($before, '/') : '/'.trim($before, '/');

if ($operation === 'sign') {
    parse_str($query, $parameters);
    ksort($parameters);
    $original = $base.'?'.http_build_query($parameters, '', '&', PHP_QUERY_RFC3986);
    exit($original.'&signature='.hash_hmac('sha256', $original, $key));
}

$kept = array_filter(explode('&', $query), fn ($parameter) => explode('=', $parameter, 2)[0] !== 'signature');
$original = rtrim($base.'?'.implode('&', $kept), '?');
parse_str($query, $parsed);
$signature = is_string($parsed['signature'] ?? null) ? $parsed['signature'] : '';
$isCorrect = hash_equals(hash_hmac('sha256', $original, $key), $signature);
$expires = $parsed['expires'] ?? null;
$isOver = $expires && (int) $now > $expires;
echo $isCorrect && ! $isOver ? 'valid' : 'not valid';
