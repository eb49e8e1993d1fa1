//! Runs functions: environment lifecycle, Runtime API, code images, dispatcher.
