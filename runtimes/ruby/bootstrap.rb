# frozen_string_literal: true

# The life of a Ruby environment: boot, become a function, answer events.

require "json"

require_relative "lib/context"
require_relative "lib/errors"
require_relative "lib/frames"
require_relative "lib/handler"
require_relative "lib/output"
require_relative "lib/logger"

module Kagero
  module Loop
    module_function

    def run
      Output.install
      Frames.send(Frames::BOOTED)
      # Until here nothing is any function's.
      kind, header, = Frames.receive
      while kind == Frames::REHEARSE
        rehearse
        Frames.send(Frames::BOOTED)
        kind, header, = Frames.receive
      end
      raise "expected to be told a function, got a frame of kind #{kind}" if kind != Frames::SPECIALISE

      answer_events(become(JSON.parse(header)))
    end

    # Loads what an event will need, on nobody's behalf.
    def rehearse
      JSON.parse('{"key1":"value1","key2":[1,2.5,true,null]}').to_json
      Errors.document(RuntimeError.new("rehearsal"), "Function").to_json
    end

    # Turns this process into the function, and returns its handler.
    def become(function)
      function["environment"].each { |name, value| ENV[name] = value }
      Context.configure(ENV)
      root = function["task_root"]
      Dir.chdir(root)
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
      handler = Handler.new(function["handler"], root)
      spent = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) - started
      Frames.send(Frames::READY, { code_us: 0, init_us: spent }.to_json)
      handler
    rescue Exception => error # rubocop:disable Lint/RescueException
      document = Errors.document(error, "Init")
      Output.log_error("Init error when loading handler #{function["handler"]}", document)
      Frames.send(Frames::INIT_ERROR, *Errors.frame(document))
      exit!(1)
    end

    def answer_events(handler)
      loop do
        _, header, event = Frames.receive
        header = JSON.parse(header)
        trace = header["trace"]
        ENV["_X_AMZN_TRACE_ID"] = trace
        Output.request_id = header["id"]
        answer(handler, header, event)
      end
    end

    def answer(handler, header, event)
      result = handler.call(JSON.parse(event), Context.new(header))
      Output.flush
      Frames.send(Frames::RESPONSE, "", result)
    rescue NameError => error
      # A function that names what does not exist does not get another event, as on Lambda.
      fail_with(error, "Critical exception from handler", ends: true)
    rescue StandardError => error
      fail_with(error, "Error raised from handler method", ends: false)
    rescue Exception => error # rubocop:disable Lint/RescueException
      fail_with(error, "Critical exception from handler", ends: true)
    end

    def fail_with(error, title, ends:)
      document = Errors.document(error, "Function")
      Output.log_error(title, document)
      Output.flush
      Frames.send(Frames::ERROR, *Errors.frame(document, ends: ends))
      exit!(1) if ends
    end
  end
end

Kagero::Loop.run
