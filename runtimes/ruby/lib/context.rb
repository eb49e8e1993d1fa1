# frozen_string_literal: true

# The context object that handlers receive.
# https://docs.aws.amazon.com/lambda/latest/dg/ruby-context.html

module Kagero
  class Context
    class << self
      attr_reader :fixed

      # Takes what holds for every invocation from the environment variables.
      def configure(environment)
        @fixed = {
          function_name: environment["AWS_LAMBDA_FUNCTION_NAME"],
          function_version: environment["AWS_LAMBDA_FUNCTION_VERSION"],
          memory_limit_in_mb: environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
          log_group_name: environment["AWS_LAMBDA_LOG_GROUP_NAME"],
          log_stream_name: environment["AWS_LAMBDA_LOG_STREAM_NAME"],
        }
      end
    end

    attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :identity, :client_context

    %i[function_name function_version memory_limit_in_mb log_group_name log_stream_name].each do |name|
      define_method(name) { self.class.fixed[name] }
    end

    def initialize(header)
      @aws_request_id = header["id"]
      @invoked_function_arn = header["arn"]
      @deadline_ms = header["deadline_ms"]
      @identity = parse(header["cognito_identity"])
      @client_context = parse(header["client_context"])
    end

    def get_remaining_time_in_millis
      [deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
    end

    private

    def parse(text)
      text && JSON.parse(text)
    end
  end
end
