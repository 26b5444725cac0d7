<?php
// Laravel's own signed URLs, as Debian packages Laravel (php-illuminate-routing).
// Usage: php laravel.php version
//        php laravel.php sign|verify URL KEY NOW absolute|relative
require 'Illuminate/Routing/autoload.php';

use Illuminate\Http\Request;
use Illuminate\Routing\Route;
use Illuminate\Routing\RouteCollection;
use Illuminate\Routing\UrlGenerator;
use Illuminate\Support\Carbon;

[, $operation, $url, $key, $now, $form] = $argv + [1 => 'version', '', '', '0', 'absolute'];
if ($operation === 'version') {
    exit('ready');
}
$isAbsolute = $form === 'absolute';
Carbon::setTestNow(Carbon::createFromTimestamp((int) $now));
$routes = new RouteCollection;
$generator = new UrlGenerator($routes, $request = Request::create($url));
$generator->setKeyResolver(fn () => $key);

if ($operation === 'sign') {
    $routes->add(new Route(['GET'], $request->path(), ['as' => 'page']));
    $parameters = $request->query();
    $expires = $parameters['expires'] ?? null;
    unset($parameters['expires']);
    $expiration = $expires === null ? null : new DateTimeImmutable('@'.$expires);
    exit($generator->signedRoute('page', $parameters, $expiration, $isAbsolute));
}
echo $generator->hasValidSignature($request, $isAbsolute) ? 'valid' : 'not valid';
