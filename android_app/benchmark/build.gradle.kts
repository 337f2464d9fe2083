plugins {
    alias(libs.plugins.kotlin.jvm)
    application
}

kotlin {
    jvmToolchain(17)
    compilerOptions {
        allWarningsAsErrors = true
    }
}

dependencies {
    implementation(project(":contract"))
    implementation(project(":engine"))
    implementation(libs.serialization)
    implementation(libs.opencv)
}

application {
    mainClass = "samesight.benchmark.BenchmarkKt"
}
