# Signs and verifies by Net::HTTP: caller.rb ADDRESS
#
# Prints a line for each answer: the step, the status and the body.

require 'json'
require 'net/http'
require 'socket'

ADDRESS = ARGV.fetch(0)

# A message of 5 MB, whose length is not known before.
def message
  reader, writer = IO.pipe
  Thread.new do
    100.times { writer.write('x' * 50_000) }
    writer.close
  end
  reader
end

def send_over_socket(request)
  request['Host'] = 'signer'
  UNIXSocket.open(ADDRESS) do |socket|
    connection = Net::BufferedIO.new(socket, read_timeout: 20, write_timeout: 20)
    begin
      request.exec(connection, '1.1', request.path)
    rescue Errno::EPIPE
      # The answer may be there although the request could not be sent as a whole, as Net::HTTP has it.
    end
    response = Net::HTTPResponse.read_new(connection)
    response.reading_body(connection, true) { response.body }
    response
  end
end

def send_over_tcp(request)
  uri = URI(ADDRESS)
  # The last argument, nil, means no proxy.
  Net::HTTP.start(uri.host, uri.port, nil, read_timeout: 20) { |http| http.request(request) }
end

def call(step, path, headers)
  request = Net::HTTP::Post.new(path, { 'Sec-Signer' => '1' }.merge(headers))
  yield request
  response = ADDRESS.start_with?('/') ? send_over_socket(request) : send_over_tcp(request)
  puts "#{step} #{response.code} #{response.body}"
  JSON.parse(response.body)
end

def call_json(step, path, body)
  call(step, path, 'Content-Type' => 'application/json') { |request| request.body = JSON.generate(body) }
end

def call_message(step, path, headers = {})
  chunked = { 'Content-Type' => 'application/octet-stream', 'Transfer-Encoding' => 'chunked' }
  call(step, path, chunked.merge(headers)) { |request| request.body_stream = message }
end

$stdout.sync = true
signed = call_json('sign', '/v1/keys/orders/sign', message: 'hello')
call_json('verify', '/v1/keys/orders/verify', message: 'hello', signature: signed['signature'])

body = '{"action":"opened"}'
headers = call_json('sign-webhook', '/v1/keys/hooks/sign', body: body)['headers']
call_json('verify-webhook', '/v1/keys/hooks/verify', body: body, headers: headers)

streamed = call_message('sign-stream', '/v1/keys/orders/sign')
call_message('verify-stream', '/v1/keys/orders/verify', 'Sec-Signer-Signature' => streamed['signature'])

call_json('problem', '/v1/keys/orders/sign', message: 5)
30.times { call_json('too-large', '/v1/keys/orders/sign', message: 'x' * 1_200_000) }
